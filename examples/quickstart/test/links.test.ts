/**
 * Every link in the documentation has a target.
 */
import { existsSync, readFileSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { expect, it } from "vitest"
import { pages, root } from "./Page.ts"

const withoutFences = (text: string) => text.replace(/^```.*?^```$/gms, "")

const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-")

const anchorsOf = (path: string) =>
  [...withoutFences(readFileSync(path, "utf8")).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchorOf(heading))

it.each(pages().map((page) => [page.path, page.text] as const))("every link in %s has a target", (path, text) => {
  const broken = [...withoutFences(text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = ""]) => {
    if (/^[a-z]+:/.test(link)) return []
    const [file = "", anchor] = link.split("#")
    const target = file === "" ? join(root, path) : join(root, dirname(path), file)
    if (!existsSync(target)) return [link]
    return anchor === undefined || (statSync(target).isFile() && anchorsOf(target).includes(anchor)) ? [] : [link]
  })
  expect(broken).toEqual([])
})
