import { spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { fileURLToPath } from "node:url"
import { describe, expect, test } from "vitest"
import { connects } from "./support/connects.ts"

const owner = fileURLToPath(new URL("./support/owner.ts", import.meta.url))

const startOwner = async (mode: string) => {
  const child = spawn(process.execPath, [owner, mode], { stdio: ["ignore", "pipe", "ignore"] })
  const exit = once(child, "exit")
  const [line] = await once(child.stdout.setEncoding("utf8"), "data")
  const ports: ReadonlyArray<number> = JSON.parse(line)
  return { child, exit, ports }
}

const leftovers = (pid: number | undefined) =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(`multistatus-test-${pid}-`))

const expectNothingLeft = (pid: number | undefined, ports: ReadonlyArray<number>) =>
  expect
    .poll(async () => [leftovers(pid), await Promise.all(ports.map(connects))], { timeout: 10_000 })
    .toEqual([[], [false, false]])

describe("Guardian", () => {
  test.each(["SIGINT", "SIGTERM", "SIGKILL", "SIGHUP"] as const)(
    "ends the servers of an owner that got %s and removes their data",
    async (signal) => {
      const { child, exit, ports } = await startOwner("wait")
      expect(leftovers(child.pid)).toHaveLength(2)
      expect(await Promise.all(ports.map(connects))).toEqual([true, true])
      child.kill(signal)
      await exit
      await expectNothingLeft(child.pid, ports)
    },
  )

  test.each(["exit", "throw"])("ends the servers of an owner that ends by %s", async (mode) => {
    const { child, exit, ports } = await startOwner(mode)
    await exit
    await expectNothingLeft(child.pid, ports)
  })

  test("ends servers that were paused when their owner was killed", async () => {
    const { child, exit, ports } = await startOwner("paused")
    child.kill("SIGKILL")
    await exit
    await expectNothingLeft(child.pid, ports)
  })
})
