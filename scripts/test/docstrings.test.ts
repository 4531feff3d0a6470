import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { entryPoints } from "../exports/EntryPoint.ts"
import { hasSentence, ofEntryPoint, type PublicExport } from "../exports/PublicExport.ts"

const root = join(import.meta.dirname, "../..")

const placeOf = ({ file, line, name }: PublicExport): string => `${relative(root, file)}:${line} ${name}`

describe("docstrings", () => {
  test.each(entryPoints())("every export of $name has a docstring with a sentence", ({ source }) => {
    const exports = ofEntryPoint(source)
    expect(exports.length).toBeGreaterThan(0)
    expect([...new Set(exports.filter((one) => !hasSentence(one)).map(placeOf))]).toEqual([])
  })
})

describe("the check of docstrings", () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "docstrings-"))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const withoutSentence = (files: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
    return ofEntryPoint(join(directory, "index.ts")).flatMap((one) => (hasSentence(one) ? [] : [one.name]))
  }

  test("finds exports without a sentence", () => {
    const text = `
      /** Whole. */
      export interface A {}
      /**
       * Whole.
       *
       * @internal
       */
      export const b = 1
      /** @internal */
      export class C {}
      export function e() {}
      // No docstring.
      export const f = 1
    `
    expect(withoutSentence({ "index.ts": text })).toEqual(["C", "e", "f"])
  })

  test("follows exports from other modules: by name, as a namespace, and all of them", () => {
    const one = `/** Whole. */\nexport const one = 1\nexport const two = 2\n`
    const local = `const three = 3\nexport { three as four }\n`
    const index = `
      export { one } from "./one.ts"
      export type { two as deux } from "./one.ts"
      export * as Numbers from "./one.ts"
      export * from "./local.ts"
      export { join } from "node:path"
    `
    const files = { "index.ts": index, "one.ts": one, "local.ts": local }
    expect(withoutSentence(files)).toEqual(["deux", "Numbers.two", "four"])
  })
})
