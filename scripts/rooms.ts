/**
 * The import rules of a package: a table that the linter's configuration is generated from (`oxlint.config.ts`).
 *
 * The folders of a package, its rooms, are listed in order. A room may import from itself and from the rooms before it. Modules
 * directly under `src` are the entry points of the package. They may import from every room but `testing`, and no room may
 * import them.
 */
export interface PackageRules {
  readonly rooms: ReadonlyArray<string>
  /** Imports from outside of the package that every module may have, as patterns of `.gitignore`. */
  readonly imports: ReadonlyArray<string>
  /** Further imports from outside of the package, by room. */
  readonly alsoImports?: Readonly<Record<string, ReadonlyArray<string>>>
  /** Whether rooms may import the modules directly under `src`. Default false. */
  readonly isFlat?: boolean
}

const node = ["node:*", "node:*/*"]
/** The stable modules of Effect. Those in lower case, such as `effect/http`, may still change. */
const effect = ["effect/[A-Z]*"]
const anyEffect = ["effect/*", "effect/*/*"]
const forAdapters = ["@multistatus/core", "@multistatus/core/adapter", "@multistatus/node-exchange"]
const forStores = ["@multistatus/core", "@multistatus/core/store", "@multistatus/core/effect"]

export const packages: Readonly<Record<string, PackageRules>> = {
  core: {
    rooms: [
      "platform",
      "options",
      "batch",
      "http",
      "planning",
      "execution",
      "idempotency",
      "quota",
      "resources",
      "formats",
      "engine",
      "jobs",
      "api",
      "testing",
    ],
    imports: effect,
    alsoImports: {
      resources: ["@standard-schema/spec"],
      testing: [...anyEffect, "@standard-schema/spec", "vitest", "@effect/vitest", "fast-check"],
    },
  },
  "node-exchange": { rooms: ["testing"], imports: node, isFlat: true },
  "adapter-*": {
    rooms: [],
    imports: [...forAdapters, ...effect, ...node],
    isFlat: true,
  },
  "adapter-express": {
    rooms: [],
    imports: [...forAdapters, "express", ...effect, ...node],
    isFlat: true,
  },
  "adapter-fastify": {
    rooms: [],
    imports: [...forAdapters, "fastify", "fastify-plugin", ...effect, ...node],
    isFlat: true,
  },
  "store-sql": {
    rooms: ["transactions", "database", "rows", "idempotency", "quota", "jobs", "migrations"],
    imports: [
      ...forStores,
      ...anyEffect,
      "kysely",
      "kysely/*",
      "pg",
      "pg-boss",
      "mysql2",
      "mysql2/*",
      "@electric-sql/pglite",
      "@electric-sql/pglite/*",
      ...node,
    ],
  },
  "store-redis": {
    rooms: ["scripts", "connection", "idempotency", "quota", "jobs"],
    imports: [...forStores, ...anyEffect, "ioredis", "bullmq", ...node],
  },
}

interface Override {
  readonly files: ReadonlyArray<string>
  readonly rules: { readonly "no-restricted-imports": ["error", { readonly patterns: ReadonlyArray<Pattern> }] }
}

interface Pattern {
  readonly group: ReadonlyArray<string>
  readonly caseSensitive: true
  readonly message: string
}

/** Levels of folders that the rules cover, the room included: `formats/requests` is on the second. */
const deepest = 2

/** The overrides of the linter that enforce the table. */
export const importRules = (): ReadonlyArray<Override> =>
  Object.entries(packages).flatMap(([name, rules]) => {
    const { rooms, isFlat = false } = rules
    const src = `packages/${name}/src`
    const enterable = rooms.filter((room) => room !== "testing").map((room) => `./${room}/**`)
    const rest = `Add a folder to scripts/rooms.ts before it holds modules.`
    return [
      override([`${src}/*/**`], [], rest),
      override(
        [`${src}/*.ts`],
        ["./*.ts", ...enterable, ...rules.imports],
        `Modules under ${src} may import every room but "testing", and: ${rules.imports.join(", ")}.`,
      ),
      ...rooms.flatMap((room, place) => {
        const imports = [...rules.imports, ...(rules.alsoImports?.[room] ?? [])]
        const earlier = rooms.slice(0, place)
        const message = `${name}/${room} may import itself, ${[...earlier, ...imports].join(", ")}.`
        return Array.from({ length: deepest }, (_, depth) => {
          const up = "../".repeat(depth + 1)
          const own = Array.from({ length: depth }, (_, level) => `${"../".repeat(level + 1)}**`)
          const others = earlier.map((other) => `${up}${other}/**`)
          const flat = isFlat ? [`${up}*.ts`] : []
          const entries = isFlat ? [] : [`${up}*.ts`]
          const files = [`${src}/${room}/${"*/".repeat(depth)}*.ts`]
          return override(files, ["./**", ...own, ...others, ...flat, ...imports], message, [
            // Patterns that leave the room.
            ...(depth === 0 ? [] : [`${up}**`, ...others.map((other) => `!${other}`), ...flat.map((one) => `!${one}`)]),
            ...entries,
          ])
        })
      }),
    ]
  })

const override = (
  files: ReadonlyArray<string>,
  allowed: ReadonlyArray<string>,
  message: string,
  except: ReadonlyArray<string> = [],
): Override => ({
  files,
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns: [
          {
            group: [
              "*",
              ...allowed.map((pattern) => `!${pattern}`),
              ...except,
              "effect/index",
              "effect/**/internal/*",
              // Detours, such as "../batch/../api/createBatch.ts".
              "**/[a-z@]*/../**",
              "./../**",
            ],
            caseSensitive: true,
            message,
          },
        ],
      },
    ],
  },
})
