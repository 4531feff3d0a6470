/**
 * Every `ts` fence in the documentation type checks. A fence that repeats a file is identical to it.
 */
import { execFile } from "node:child_process"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
import { fences, guides, root } from "./Page.ts"

const all = guides().flatMap((page) => fences(page, "ts").map((fence) => ({ ...fence, page: page.path })))

describe("the programs of the documentation", () => {
  it.each(all.flatMap(({ page, file, text }) => (file === undefined ? [] : [[page, file, text] as const])))(
    "%s repeats %s exactly",
    (_page, file, text) => {
      expect(text).toBe(readFileSync(join(root, file), "utf8"))
    },
  )

  it("type check", { timeout: 120_000 }, async () => {
    const directory = join(import.meta.dirname, "../dist/documentation")
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory, { recursive: true })
    const tsconfig = {
      extends: join(root, "tsconfig.base.json"),
      compilerOptions: {
        composite: false,
        declaration: false,
        declarationMap: false,
        sourceMap: false,
        noEmit: true,
        noUnusedLocals: false,
        rewriteRelativeImportExtensions: false,
        allowImportingTsExtensions: true,
        types: ["node"],
      },
      include: ["*.ts"],
    }
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(tsconfig))
    for (const { page, line, before, text } of all) {
      writeFileSync(join(directory, `${page.replaceAll("/", "_")}_${line}.ts`), before + text)
    }
    expect(all.length).toBeGreaterThan(0)
    const { stdout } = await promisify(execFile)(join(root, "node_modules/.bin/tsc"), ["-p", directory], {
      cwd: directory,
    }).catch((error: { readonly stdout: string }) => error)
    // Errors in the packages themselves are reported by their own type check.
    expect(stdout.split("\n").filter((line) => line !== "" && !line.startsWith(".."))).toEqual([])
  })
})
