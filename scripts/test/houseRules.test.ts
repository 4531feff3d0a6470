import { beforeAll, describe, expect, test } from "vitest"
import { type Diagnostic, lint } from "./lint.ts"

describe("house rules", () => {
  const refusedModules: ReadonlyArray<readonly [what: string, text: string]> = [
    ["any", "export const f = (x: any) => x\n"],
    ["a suppressed type error", "// @ts-ignore\nexport const f = 1\n"],
    ["a loose comparison", "export const f = (x: number | string) => x == 1\n"],
    ["a skipped test", 'import { test } from "vitest"\ntest.skip("waits", () => undefined)\n'],
    ["a focused test", 'import { test } from "vitest"\ntest.only("hides the others", () => undefined)\n'],
    ["the process", "export const run = () => process.exit()\n"],
    ["a buffer", "export const run = () => Buffer.from('')\n"],
    ["the console", "export const run = () => console.log('')\n"],
    ["a timer of Node", "export const run = () => setImmediate(() => undefined)\n"],
  ]
  const pathOf = (index: number) => `packages/core/src/api/Noun${index}.ts`
  const valid = "packages/core/src/batch/Noun.ts"
  let diagnostics: ReadonlyArray<Diagnostic>
  beforeAll(async () => {
    diagnostics = await lint({
      ...Object.fromEntries(refusedModules.map(([, text], index) => [pathOf(index), text])),
      [valid]: 'import * as Result from "effect/Result"\nexport const one = Result.succeed(1)\n',
    })
  })

  test.each(refusedModules.map(([what], index) => ({ what, index })))("$what is refused in core", ({ index }) => {
    expect(diagnostics.map(({ filename }) => filename)).toContain(pathOf(index))
  })

  test("a module that follows all rules passes", () => {
    expect(diagnostics.map(({ filename }) => filename)).not.toContain(valid)
  })

  test.each([
    ["", "export const second = () => first\n", "export const first = () => second\n"],
    ["type ", "export type second = typeof first\n", "export type first = { readonly second: second }\n"],
  ])("modules that import each other are refused: import %s", async (type, second, first) => {
    const found = await lint({
      "packages/core/src/batch/First.ts": `import ${type}{ second } from "./Second.ts"\n${first}`,
      "packages/core/src/batch/Second.ts": `import ${type}{ first } from "./First.ts"\n${second}`,
    })
    expect(found.map(({ code }) => code)).toContain("import(no-cycle)")
  })
})
