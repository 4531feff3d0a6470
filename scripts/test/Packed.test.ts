import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import * as Packed from "../pack/Packed.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "packed-"))
})
afterEach(() => rmSync(directory, { recursive: true }))

const sound = {
  "README.md": "# Sound\n",
  LICENSE: "MIT\n",
  "dist/index.js": "export const answer = 42\n",
  "dist/index.d.ts": "export declare const answer: number\n",
}
const manifest = {
  name: "sound",
  version: "1.0.0",
  license: "MIT",
  type: "module",
  exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" }, "./package.json": "./package.json" },
}

/** Packs the files unchanged, and returns the faults. */
const findings = async (files: Readonly<Record<string, string>>, fields: object): Promise<string> => {
  for (const [path, text] of Object.entries({ ...files, "package.json": JSON.stringify(fields) })) {
    mkdirSync(dirname(join(directory, "package", path)), { recursive: true })
    writeFileSync(join(directory, "package", path), text)
  }
  const tarball = join(directory, "packed.tgz")
  execFileSync("tar", ["-czf", tarball, "package"], { cwd: directory })
  return (await Packed.findings(await Packed.read(tarball), root)).join("\n")
}

describe("Packed", () => {
  test("finds no fault in a valid package", async () => {
    expect(await findings(sound, manifest)).toBe("")
  })

  test("finds a dependency that only the workspace resolves", async () => {
    const fields = { ...manifest, peerDependencies: { other: "workspace:^" } }
    expect(await findings(sound, fields)).toContain("sound: depends on other at workspace:^")
  })

  test("finds an entry point that is not built", async () => {
    const found = await findings({ ...sound, "src/index.ts": "" }, { ...manifest, exports: "./src/index.ts" })
    expect(found).toContain("exports ./src/index.ts, which is not built")
  })

  test("finds an entry point that is not packed", async () => {
    const fields = { ...manifest, exports: { ...manifest.exports, "./testing": "./dist/testing.js" } }
    expect(await findings(sound, fields)).toContain("exports ./dist/testing.js, which is not packed")
  })

  test("finds a missing README, and files that users do not need", async () => {
    const { "README.md": _, ...files } = sound
    const found = await findings({ ...files, "dist/.tsbuildinfo": "{}", "test/index.test.js": "" }, manifest)
    expect(found).toContain("lacks ./README.md")
    expect(found).toContain("packs ./dist/.tsbuildinfo")
    expect(found).toContain("packs ./test/index.test.js")
  })

  test("finds types that do not match the code", async () => {
    const found = await findings({ ...sound, "dist/index.d.ts": "import './gone.js'\nexport default 1\n" }, manifest)
    expect(found).toContain("attw: ")
  })

  test("reports the findings of publint", async () => {
    const found = await findings({ ...sound, "dist/index.js": "module.exports = { answer: 42 }\n" }, manifest)
    expect(found).toContain("publint: ")
  })
})
