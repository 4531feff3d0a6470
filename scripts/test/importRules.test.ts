import { beforeAll, describe, expect, test } from "vitest"
import { packages } from "../rooms.ts"
import { lint } from "./lint.ts"

/** The imports that a module may have, and those that it may not. */
interface Rule {
  readonly allowed: ReadonlyArray<string>
  readonly forbidden: ReadonlyArray<string>
}

/** Lints one module for each path, and returns the refused imports of each. */
const refused = async (rules: Readonly<Record<string, Rule>>): Promise<Readonly<Record<string, unknown>>> => {
  const specifiers = Object.entries(rules).map(([path, rule]) => [path, [...rule.allowed, ...rule.forbidden]] as const)
  const exporting = (all: ReadonlyArray<string>) =>
    all.map((from) => `export * from ${JSON.stringify(from)}\n`).join("")
  const diagnostics = await lint(Object.fromEntries(specifiers.map(([path, all]) => [path, exporting(all)])))
  return Object.fromEntries(
    specifiers.map(([path, all]) => [
      path,
      diagnostics
        .filter(({ code, filename }) => code.includes("no-restricted-imports") && filename === path)
        .map(({ labels }) => labels[0]?.span.line ?? 0)
        .sort((left, right) => left - right)
        .map((line) => all[line - 1]),
    ]),
  )
}

const expectRules = async (rules: Readonly<Record<string, Rule>>): Promise<void> =>
  expect(await refused(rules)).toEqual(
    Object.fromEntries(Object.entries(rules).map(([path, { forbidden }]) => [path, forbidden])),
  )

describe("rooms", () => {
  const rulesOf = (name: string, room: string): Readonly<Record<string, Rule>> => {
    const { rooms, isFlat = false } = packages[name]!
    const place = rooms.indexOf(room)
    const rule = (up: string, own: ReadonlyArray<string>): Rule => ({
      allowed: [
        "./Other.ts",
        ...own,
        ...rooms.slice(0, place).flatMap((other) => [`${up}${other}/Other.ts`, `${up}${other}/inner/Other.ts`]),
        ...(isFlat ? [`${up}Other.ts`] : []),
      ],
      forbidden: [
        ...rooms.slice(place + 1).map((other) => `${up}${other}/Other.ts`),
        ...(isFlat ? [] : [`${up}index.ts`]),
        `${up}../test/Other.ts`,
        `${up}../../elsewhere/src/index.ts`,
        `${up}${rooms[0]}/../${rooms.at(-1)}/Other.ts`,
        "effect",
        "left-pad",
      ],
    })
    return {
      [`packages/${name}/src/${room}/Noun.ts`]: rule("../", []),
      [`packages/${name}/src/${room}/inner/Noun.ts`]: rule("../../", ["../Other.ts", "../neighbour/Other.ts"]),
    }
  }
  const cases = Object.entries(packages).flatMap(([name, { rooms }]) => rooms.map((room) => ({ name, room })))
  let found: Readonly<Record<string, unknown>>
  beforeAll(async () => {
    found = await refused(Object.assign({}, ...cases.map(({ name, room }) => rulesOf(name, room))))
  })

  test.each(cases)("$name/$room imports itself and the rooms before it", ({ name, room }) => {
    for (const [path, { forbidden }] of Object.entries(rulesOf(name, room))) expect(found[path]).toEqual(forbidden)
  })
})

describe("packages", () => {
  const unstable = ["effect/http", "effect/persistence", "effect/sql", "effect/workflow", "effect/crypto"]

  test("core imports stable modules of Effect, but no framework, no driver and no Node module", async () => {
    const forbidden = [
      "effect",
      "effect/index",
      "effect/internal/core",
      "node:fs",
      "fs",
      "express",
      "kysely",
      "ioredis",
    ]
    const self = ["@multistatus/core", "@multistatus/node-exchange"]
    const rooms = packages["core"]!.rooms.filter((room) => room !== "testing")
    await expectRules(
      Object.fromEntries(
        rooms.map((room) => [
          `packages/core/src/${room}/Noun.ts`,
          { allowed: ["effect/Effect"], forbidden: [...forbidden, ...self, ...unstable, "vitest", "fast-check"] },
        ]),
      ),
    )
  })

  test("entry points import every room but testing, which may import test runners", async () => {
    await expectRules({
      "packages/core/src/index.ts": {
        allowed: ["./api/createBatch.ts", "./batch/Codec.ts", "./adapter.ts"],
        forbidden: ["./testing/index.ts", "node:fs", "effect", "express"],
      },
      "packages/core/src/testing/index.ts": {
        allowed: ["vitest", "@effect/vitest", "fast-check", "effect/testing", "../batch/Codec.ts"],
        forbidden: ["node:fs", "effect", "@multistatus/core"],
      },
    })
  })

  test("a folder that is not in the table may not import anything", async () => {
    await expectRules({
      "packages/core/src/newcomers/Noun.ts": { allowed: [], forbidden: ["./Other.ts", "../batch/Batch.ts", "effect"] },
    })
  })

  test("adapters import core, node-exchange and their framework", async () => {
    const common = [
      "@multistatus/core",
      "@multistatus/core/adapter",
      "@multistatus/node-exchange",
      "effect/Effect",
      "node:http",
      "./Other.ts",
    ]
    const never = [
      "@multistatus/core/testing",
      "@multistatus/core/src/index.ts",
      "@multistatus/store-sql",
      "effect/http",
    ]
    await expectRules({
      "packages/node-exchange/src/Noun.ts": {
        allowed: ["node:http", "node:fs/promises", "./Other.ts"],
        forbidden: ["effect", "effect/Effect", "@multistatus/core", "express", "http", "../../core/src/index.ts"],
      },
      "packages/adapter-express/src/Noun.ts": {
        allowed: [...common, "express"],
        forbidden: [...never, "fastify", "@multistatus/adapter-fastify", "../../core/src/engine/BatchEngine.ts"],
      },
      "packages/adapter-fastify/src/Noun.ts": {
        allowed: [...common, "fastify"],
        forbidden: [...never, "express", "@multistatus/adapter-express", "light-my-request", "kysely"],
      },
      "packages/adapter-koa/src/Noun.ts": {
        allowed: common,
        forbidden: [...never, "express", "@multistatus/adapter-express"],
      },
    })
  })

  test("stores import core and their driver", async () => {
    await expectRules({
      "packages/store-sql/src/rows/Noun.ts": {
        allowed: [
          "kysely",
          "pg",
          "mysql2/promise",
          "@multistatus/core",
          "@multistatus/core/store",
          "effect/Effect",
          "effect/sql",
          "node:sqlite",
        ],
        forbidden: ["@multistatus/store-redis", "@multistatus/adapter-express", "@multistatus/core/testing", "ioredis"],
      },
      "packages/store-redis/src/quota/Noun.ts": {
        allowed: ["ioredis", "bullmq", "@multistatus/core", "@multistatus/core/store", "effect/Effect", "node:crypto"],
        forbidden: ["@multistatus/store-sql", "@multistatus/adapter-fastify", "kysely", "pg", "effect"],
      },
    })
  })

  test("tests import their own package by path, and other packages by name", async () => {
    await expectRules({
      "packages/core/test/engine/Noun.test.ts": {
        allowed: ["../../src/engine/BatchEngine.ts", "effect/Effect", "node:http", "vitest"],
        forbidden: ["effect", "../../../node-exchange/src/index.ts"],
      },
    })
  })
})
