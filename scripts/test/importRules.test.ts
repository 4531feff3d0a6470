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

describe("import rules", () => {
  test("modules that import each other are refused", async () => {
    write(
      "packages/core/src/batch/First.ts",
      'import { second } from "./Second.ts"\nexport const first = () => second\n',
    )
    write(
      "packages/core/src/batch/Second.ts",
      'import { first } from "./First.ts"\nexport const second = () => first\n',
    )
    const { diagnostics, failed } = await lint()
    expect(failed).toBe(true)
    expect(diagnostics.map(({ code }) => code)).toContain("import(no-cycle)")
  })

  test.each(["process.exit()", "Buffer.from('')", "console.log('')", "setImmediate(() => undefined)"])(
    "core does not use what other runtimes lack: %s",
    async (statement) => {
      write("packages/core/src/api/Noun.ts", `export const run = () => ${statement}\n`)
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
      "packages/core/src/batch/Noun.ts",
      'import * as Result from "effect/Result"\nexport const one = Result.succeed(1)\n',
    )
    expect(await lint()).toEqual({ failed: false, diagnostics: [] })
  })
})
