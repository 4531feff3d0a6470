import { execFile } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, describe, expect, test } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))
const oxlint = join(root, "node_modules/oxlint/bin/oxlint")

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "import-rules-"))
  copyFileSync(join(root, ".oxlintrc.json"), join(directory, ".oxlintrc.json"))
})
afterEach(() => rmSync(directory, { recursive: true }))

interface Diagnostic {
  readonly code: string
  readonly filename: string
  readonly labels: ReadonlyArray<{ readonly span: { readonly line: number } }>
}

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(directory, path)), { recursive: true })
  writeFileSync(join(directory, path), text)
}

const lint = () =>
  new Promise<{ readonly failed: boolean; readonly diagnostics: ReadonlyArray<Diagnostic> }>((resolve) =>
    execFile(process.execPath, [oxlint, "--format=json", "--deny-warnings"], { cwd: directory }, (error, stdout) =>
      resolve({ failed: error !== null, diagnostics: JSON.parse(stdout).diagnostics }),
    ),
  )

/** Lints one module that consists of the given imports, and answers with those that were refused. */
const refused = async (path: string, specifiers: ReadonlyArray<string>): Promise<ReadonlyArray<string | undefined>> => {
  write(path, specifiers.map((specifier) => `export * from ${JSON.stringify(specifier)}\n`).join(""))
  const { diagnostics } = await lint()
  return diagnostics
    .filter(({ code }) => code.includes("no-restricted-imports"))
    .map(({ labels }) => labels[0]?.span.line ?? 0)
    .sort((left, right) => left - right)
    .map((line) => specifiers[line - 1])
}

interface Rule {
  /** The folder, and a module in it. */
  readonly from: string
  readonly allowed: ReadonlyArray<string>
  readonly forbidden: ReadonlyArray<string>
}

const layers = ["domain", "ports", "policies", "stores", "codecs", "dispatchers", "engine", "jobs", "edge", "testing"]
const core = (layer: string, options: Omit<Rule, "from"> & { readonly layers: ReadonlyArray<string> }): Rule => ({
  from: `packages/core/src/${layer}/Noun.ts`,
  allowed: [
    "effect/Effect",
    ...options.layers.map((other) => (other === layer ? "./Other.ts" : `../${other}/Other.ts`)),
    ...options.allowed,
  ],
  forbidden: [
    ...layers
      .filter((other) => !options.layers.includes(other))
      .map((other) => (other === layer ? "./Other.ts" : `../${other}/Other.ts`)),
    "effect",
    "effect/index",
    "effect/internal/core",
    "../index.ts",
    "../domain/../elsewhere/Other.ts",
    "../../../node-exchange/src/index.ts",
    "node:fs",
    "fs",
    "express",
    "fastify",
    "kysely",
    "ioredis",
    "@multistatus/core",
    "@multistatus/node-exchange",
    ...options.forbidden,
  ],
})

const unstable = ["effect/http", "effect/persistence", "effect/sql", "effect/workflow", "effect/crypto"]
const runners = ["vitest", "@effect/vitest", "fast-check"]
const standardSchema = "@standard-schema/spec"

const rules: ReadonlyArray<Rule> = [
  core("domain", { layers: ["domain"], allowed: [], forbidden: [...unstable, ...runners, standardSchema] }),
  core("ports", { layers: ["domain"], allowed: [...unstable, standardSchema], forbidden: runners }),
  core("policies", {
    layers: ["policies", "ports", "domain"],
    allowed: [],
    forbidden: [...unstable, ...runners, standardSchema],
  }),
  core("stores", {
    layers: ["stores", "ports", "domain"],
    allowed: [],
    forbidden: [...unstable, ...runners, standardSchema],
  }),
  core("codecs", {
    layers: ["codecs", "ports", "domain"],
    allowed: [standardSchema],
    forbidden: [...unstable, ...runners],
  }),
  core("dispatchers", {
    layers: ["dispatchers", "ports", "domain"],
    allowed: [standardSchema],
    forbidden: [...unstable, ...runners],
  }),
  core("engine", {
    layers: ["engine", "policies", "ports", "domain"],
    allowed: [standardSchema],
    forbidden: [...unstable, ...runners],
  }),
  core("jobs", {
    layers: ["jobs", "policies", "ports", "domain"],
    allowed: [standardSchema],
    forbidden: [...unstable, ...runners],
  }),
  core("edge", {
    layers: ["edge", "jobs", "engine", "codecs", "dispatchers", "policies", "stores", "ports", "domain"],
    allowed: [standardSchema],
    forbidden: [...unstable, ...runners, "effect/http/HttpRouter"],
  }),
  core("testing", { layers, allowed: [...runners, ...unstable, "effect/testing", standardSchema], forbidden: [] }),
  {
    from: "packages/core/src/newcomers/Noun.ts",
    allowed: ["./Other.ts", "../domain/Batch.ts", "effect/Effect"],
    forbidden: [
      "../testing/index.ts",
      "../index.ts",
      "../../../node-exchange/src/index.ts",
      "node:fs",
      "express",
      "effect",
    ],
  },
  {
    from: "packages/core/src/index.ts",
    allowed: ["./edge/createBatch.ts", "./ports/Codec.ts"],
    forbidden: ["./testing/index.ts", "node:fs", "effect", "express"],
  },
  {
    from: "packages/node-exchange/src/Noun.ts",
    allowed: ["node:http", "node:fs/promises", "./Other.ts"],
    forbidden: [
      "effect",
      "effect/Effect",
      "@multistatus/core",
      "express",
      "fastify",
      "http",
      "../../core/src/index.ts",
    ],
  },
  ...["express", "fastify"].map((framework) => ({
    from: `packages/adapter-${framework}/src/Noun.ts`,
    allowed: [framework, "@multistatus/core", "@multistatus/node-exchange", "effect/Effect", "node:http", "./Other.ts"],
    forbidden: [
      framework === "express" ? "fastify" : "express",
      "@multistatus/core/testing",
      "@multistatus/core/src/index.ts",
      "@multistatus/store-sql",
      framework === "express" ? "@multistatus/adapter-fastify" : "@multistatus/adapter-express",
      "../../core/src/engine/BatchEngine.ts",
      "effect",
      "effect/http",
      "kysely",
      "light-my-request",
    ],
  })),
  {
    from: "packages/adapter-koa/src/Noun.ts",
    allowed: ["koa", "@multistatus/core", "@multistatus/node-exchange", "effect/Effect", "node:http"],
    forbidden: ["@multistatus/store-sql", "@multistatus/adapter-express", "@multistatus/core/testing", "effect"],
  },
  {
    from: "packages/store-sql/src/Noun.ts",
    allowed: [
      "kysely",
      "pg",
      "pg-boss",
      "mysql2/promise",
      "@multistatus/core",
      "effect/Effect",
      "effect/sql",
      "node:sqlite",
    ],
    forbidden: [
      "@multistatus/store-redis",
      "@multistatus/adapter-express",
      "@multistatus/node-exchange",
      "@multistatus/core/testing",
      "../../core/src/ports/QuotaStore.ts",
      "ioredis",
      "express",
      "effect",
    ],
  },
  {
    from: "packages/store-redis/src/Noun.ts",
    allowed: ["ioredis", "bullmq", "@multistatus/core", "effect/Effect", "node:crypto"],
    forbidden: ["@multistatus/store-sql", "@multistatus/adapter-fastify", "kysely", "pg", "effect"],
  },
  {
    from: "packages/store-mongo/src/Noun.ts",
    allowed: ["mongodb", "@multistatus/core", "effect/Effect"],
    forbidden: ["@multistatus/store-sql", "@multistatus/adapter-fastify", "@multistatus/node-exchange", "effect"],
  },
  {
    from: "packages/core/test/engine/Noun.test.ts",
    allowed: ["../../src/engine/BatchEngine.ts", "effect/Effect", "node:http", "vitest"],
    forbidden: ["effect", "../../../node-exchange/src/index.ts"],
  },
]

describe("import rules", () => {
  test.each(rules)("$from imports only what its layer may know", async ({ allowed, forbidden, from }) => {
    expect(await refused(from, allowed)).toEqual([])
    expect(await refused(from, forbidden)).toEqual(forbidden)
  })

  test("a nested folder is held to the rules of its layer", async () => {
    const from = "packages/core/src/policies/quota/Noun.ts"
    const allowed = ["../Other.ts", "../../ports/QuotaStore.ts", "../../domain/Batch.ts"]
    const forbidden = ["../../engine/BatchEngine.ts", "../../edge/createBatch.ts", "../../index.ts", "node:fs"]
    expect(await refused(from, allowed)).toEqual([])
    expect(await refused(from, forbidden)).toEqual(forbidden)
  })

  test("modules that import each other are refused", async () => {
    write(
      "packages/core/src/domain/First.ts",
      'import { second } from "./Second.ts"\nexport const first = () => second\n',
    )
    write(
      "packages/core/src/domain/Second.ts",
      'import { first } from "./First.ts"\nexport const second = () => first\n',
    )
    const { diagnostics, failed } = await lint()
    expect(failed).toBe(true)
    expect(diagnostics.map(({ code }) => code)).toContain("import(no-cycle)")
  })

  test.each(["process.exit()", "Buffer.from('')", "console.log('')", "setImmediate(() => undefined)"])(
    "core does not use what other runtimes lack: %s",
    async (statement) => {
      write("packages/core/src/edge/Noun.ts", `export const run = () => ${statement}\n`)
      expect((await lint()).failed).toBe(true)
    },
  )

  test.each([
    ["any", "export const f = (x: any) => x\n"],
    ["a suppressed type error", "// @ts-ignore\nexport const f = 1\n"],
    ["a loose comparison", "export const f = (x: number | string) => x == 1\n"],
    ["a skipped test", 'import { test } from "vitest"\ntest.skip("waits", () => undefined)\n'],
    ["a focused test", 'import { test } from "vitest"\ntest.only("hides the others", () => undefined)\n'],
  ])("%s is refused", async (_, text) => {
    write("packages/core/test/Noun.test.ts", text)
    expect((await lint()).failed).toBe(true)
  })

  test("a module in order passes", async () => {
    write(
      "packages/core/src/domain/Noun.ts",
      'import * as Result from "effect/Result"\nexport const one = Result.succeed(1)\n',
    )
    expect(await lint()).toEqual({ failed: false, diagnostics: [] })
  })
})
