import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import * as ServerDirectory from "../src/ServerDirectory.ts"

describe("ServerDirectory", () => {
  test("removes only the directories of owners that no longer exist", () => {
    const { pid } = spawnSync(process.execPath, ["--version"])
    const stale = join(tmpdir(), `multistatus-test-${pid}-postgres-leftover`)
    mkdirSync(stale)
    writeFileSync(join(stale, "file"), "")
    const first = ServerDirectory.make("redis", undefined)
    const second = ServerDirectory.make("redis", undefined)
    expect(existsSync(stale)).toBe(false)
    expect(existsSync(first)).toBe(true)
    rmSync(first, { recursive: true })
    rmSync(second, { recursive: true })
  })
})
