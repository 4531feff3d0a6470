import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import * as Binaries from "../src/Binaries.ts"

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "binaries-"))
})
afterEach(() => rmSync(root, { recursive: true }))

const program = (directory: string, name: string): string => {
  mkdirSync(join(root, directory), { recursive: true })
  const path = join(root, directory, name)
  writeFileSync(path, "#!/bin/sh\n")
  chmodSync(path, 0o755)
  return path
}

const product = (): Binaries.Product => ({
  name: "Database",
  programs: [["init"], ["serverd", "oldserverd"]],
  directories: [join(root, "versions/*/bin")],
  debianPackage: "database-server",
  homebrewPackage: "database",
})

const host = (overrides?: Partial<Binaries.Host>): Binaries.Host => ({
  path: join(root, "bin"),
  isRoot: false,
  platform: "linux",
  install: () => Promise.reject(new Error("nothing may be installed here")),
  ...overrides,
})

describe("Binaries", () => {
  test("finds the newest version, comparing versions as numbers", async () => {
    for (const version of ["9", "10", "17", "2"]) {
      program(`versions/${version}/bin`, "init")
      program(`versions/${version}/bin`, "serverd")
    }
    expect(await Binaries.locate(product(), host())).toEqual([
      join(root, "versions/17/bin/init"),
      join(root, "versions/17/bin/serverd"),
    ])
  })

  test("skips a directory that lacks one of the programs", async () => {
    program("versions/17/bin", "init")
    const init = program("bin", "init")
    const server = program("bin", "oldserverd")
    expect(await Binaries.locate(product(), host())).toEqual([init, server])
  })

  test("names the command that installs what is missing", async () => {
    await expect(Binaries.locate(product(), host())).rejects.toThrow("run `apt-get install database-server`")
    await expect(Binaries.locate(product(), host({ platform: "darwin" }))).rejects.toThrow(
      "run `brew install database`",
    )
  })

  test("installs through apt-get as root", async () => {
    const aptGet = program("bin", "apt-get")
    const commands: Array<string> = []
    const install = async (command: string, args: ReadonlyArray<string>) => {
      commands.push([command, ...args].join(" "))
      if (args[0] !== "install") return
      program("bin", "init")
      program("bin", "serverd")
    }
    const found = await Binaries.locate(product(), host({ isRoot: true, install }))
    expect(found).toEqual([join(root, "bin/init"), join(root, "bin/serverd")])
    expect(commands).toEqual([`${aptGet} update`, `${aptGet} install --yes --no-install-recommends database-server`])
  })

  test("does not touch the system's packages without being root", async () => {
    program("bin", "apt-get")
    await expect(Binaries.locate(product(), host())).rejects.toThrow("is not installed")
  })
})
