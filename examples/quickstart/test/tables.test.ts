/**
 * Tests of tables in the documentation that repeat facts of the code.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { resolveOptions } from "@multistatus/core/effect"
import { statusOf } from "@multistatus/core/format"
import { expect, it } from "vitest"
import { pages, root } from "./Page.ts"

const textOf = (path: string) => pages().find((page) => page.path === path)!.text

const section = (text: string, heading: string) => text.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? ""

/** The cells of the rows whose first cell is code. */
const rows = (text: string) =>
  [...text.matchAll(/^\| `([^`]+)`\s*\| ([^|]+?)\s*\|/gm)].map(([, name = "", value = ""]) => [name, value] as const)

const units: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 * 1024, seconds: 1000 }

const toNumber = (value: string): number | undefined => {
  const [number = "", unit = ""] = value.replaceAll(",", "").split(" ")
  return value === "none" ? undefined : Number(number) * (units[unit] ?? 1)
}

it("the table of limits has every limit, in order, with its default", () => {
  const defaults = rows(textOf("docs/limits.md")).map(([, value]) => toNumber(value))
  expect(defaults).toStrictEqual(Object.values(resolveOptions({}).limits))
})

it("the table of codes has their statuses", () => {
  const table = rows(section(textOf("docs/endpoints.md"), "Codes of operations"))
  expect(table.length).toBeGreaterThan(10)
  expect(table).toEqual(table.map(([code]) => [code, String(statusOf(code))]))
})

it("ARCHITECTURE.md lists the rooms of every package in order", async () => {
  const { packages } = (await import(pathToFileURL(join(root, "scripts/rooms.ts")).href)) as {
    readonly packages: Readonly<Record<string, { readonly rooms: ReadonlyArray<string>; readonly isFlat?: boolean }>>
  }
  const rooms = Object.values(packages).flatMap((rules) => (rules.isFlat === true ? [] : rules.rooms))
  expect(rows(section(textOf("ARCHITECTURE.md"), "Rooms")).map(([room]) => room)).toEqual(rooms)
})

it.each(["ARCHITECTURE.md", "packages/core/README.md"])("%s lists the entry points of core", (path) => {
  const { exports } = JSON.parse(readFileSync(join(root, "packages/core/package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, unknown>>
  }
  const entryPoints = Object.keys(exports).flatMap((name) =>
    name === "./package.json" ? [] : [name.replace(".", "@multistatus/core")],
  )
  const listed = [...textOf(path).matchAll(/^\| `(@multistatus\/core[^`]*)`/gm)].map(([, name]) => name)
  expect(listed).toEqual(entryPoints)
})
