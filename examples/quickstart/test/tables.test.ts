/**
 * Tables of the documentation that repeat what the code says.
 */
import { resolveOptions } from "@multistatus/core/effect"
import { statusOf } from "@multistatus/core/format"
import { describe, expect, it } from "vitest"
import { guides } from "./Page.ts"

const textOf = (path: string) => guides().find((page) => page.path === path)!.text

const section = (text: string, heading: string) => text.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? ""

/** The cells of the rows whose first cell is code. */
const rows = (text: string) =>
  [...text.matchAll(/^\| `([^`]+)`\s*\| ([^|]+?)\s*\|/gm)].map(([, name = "", value = ""]) => [name, value] as const)

const units: Readonly<Record<string, number>> = { MiB: 1024 * 1024, seconds: 1000 }

const toNumber = (value: string): number | undefined => {
  const [number = "", unit = ""] = value.replaceAll(",", "").split(" ")
  return value === "none" ? undefined : Number(number) * (units[unit] ?? 1)
}

describe.each(["README.md", "docs/limits.md"])("the table of limits in %s", (path) => {
  it("has every limit, in order, with its default", () => {
    const defaults = rows(textOf(path)).map(([, value]) => toNumber(value))
    expect(defaults).toStrictEqual(Object.values(resolveOptions({}).limits))
  })
})

it("the table of codes has their statuses", () => {
  const table = rows(section(textOf("docs/endpoints.md"), "Codes of operations"))
  expect(table.length).toBeGreaterThan(10)
  expect(table).toEqual(table.map(([code]) => [code, String(statusOf(code))]))
})
