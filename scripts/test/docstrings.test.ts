import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { lacks, ofEntryPoint, type PublicExport } from "../exports/PublicExport.ts"

const root = join(import.meta.dirname, "../..")

const entryPoints = globSync("packages/*/package.json", { cwd: root })
  .sort()
  .flatMap((manifest) => {
    const { exports } = JSON.parse(readFileSync(join(root, manifest), "utf8")) as {
      readonly exports: Readonly<Record<string, string>>
    }
    return Object.values(exports).flatMap((path) =>
      path.endsWith(".ts") ? [relative(root, join(root, dirname(manifest), path))] : [],
    )
  })

const complaint = (one: PublicExport): ReadonlyArray<string> => {
  const lacking = lacks(one)
  return lacking.length === 0
    ? []
    : [`${relative(root, one.file)}:${one.line} ${one.name} lacks ${lacking.join(", ")} in its docstring`]
}

describe("docstrings", () => {
  test.each(entryPoints)("every export of %s has a sentence, a category and a version", (entryPoint) => {
    const exports = ofEntryPoint(join(root, entryPoint))
    expect(exports.length).toBeGreaterThan(0)
    expect([...new Set(exports.flatMap(complaint))]).toEqual([])
  })
})

describe("the check of docstrings", () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "docstrings-"))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const lacking = (files: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
    return ofEntryPoint(join(directory, "index.ts")).map((one) => [one.name, ...lacks(one)])
  }

  test("finds what a docstring lacks, in one line and in several", () => {
    const text = `
      /** Whole. @category models @since 0.1.0 */
      export interface A {}
      /**
       * Whole.
       *
       * @category models
       * @since 0.1.0
       */
      export const b = 1
      /** @category models @since 0.1.0 */
      export class C {}
      /** A sentence. */
      export type D = string
      export function e() {}
      // No docstring. @category models @since 0.1.0
      export const f = 1
    `
    const nothing = ["a sentence", "@category", "@since"]
    expect(lacking({ "index.ts": text })).toEqual([
      ["A"],
      ["b"],
      ["C", "a sentence"],
      ["D", "@category", "@since"],
      ["e", ...nothing],
      ["f", ...nothing],
    ])
  })

  test("follows what is exported from other modules, by name, as a namespace and all of it", () => {
    const one = `/** Whole. @category models @since 0.1.0 */\nexport const one = 1\nexport const two = 2\n`
    const local = `const three = 3\nexport { three as four }\n`
    const index = `
      export { one } from "./one.ts"
      export type { two as deux } from "./one.ts"
      export * as Numbers from "./one.ts"
      export * from "./local.ts"
      export { join } from "node:path"
    `
    const names = lacking({ "index.ts": index, "one.ts": one, "local.ts": local }).map(([name, ...what]) => [
      name,
      what.length === 0,
    ])
    expect(names).toEqual([
      ["one", true],
      ["deux", false],
      ["Numbers.one", true],
      ["Numbers.two", false],
      ["four", false],
    ])
  })
})
