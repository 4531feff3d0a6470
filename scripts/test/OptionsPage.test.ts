import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { render, rows } from "../options/OptionsPage.ts"

const docs = join(import.meta.dirname, "../../docs")

describe("docs/options.md", () => {
  test("is up to date; `npx --yes pnpm@12 docs:options` writes it", () => {
    expect(readFileSync(join(docs, "options.md"), "utf8")).toBe(render())
  })

  test("describes every option in one sentence", () => {
    expect(rows().length).toBeGreaterThan(60)
    expect(rows().filter(({ description }) => !/^[A-Z].*\.$/.test(description))).toEqual([])
  })

  test("repeats what docstrings say of defaults", () => {
    const wrong = rows().flatMap(({ path, docstring, defaultSentence }) =>
      docstring.includes(defaultSentence) ? [] : [{ path, docstring, defaultSentence }],
    )
    expect(wrong).toEqual([])
  })

  test("refers to pages that exist", () => {
    const pages = new Set(rows().map(({ page }) => page.split("#", 1)[0]!))
    expect([...pages].filter((page) => !existsSync(join(docs, page)))).toEqual([])
  })
})
