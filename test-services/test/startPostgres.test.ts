import { existsSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { startPostgres } from "@multistatus/test-services"
import { Client } from "pg"
import { describe, expect, test } from "vitest"
import { connects } from "./support/connects.ts"

const query = async (url: string, text: string): Promise<ReadonlyArray<Record<string, unknown>>> => {
  const client = new Client({ connectionString: url })
  client.on("error", () => undefined)
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

describe("startPostgres", () => {
  test("answers queries until it is stopped, and leaves nothing behind", async () => {
    const server = await startPostgres()
    const [row] = await query(server.url, "SELECT 1 + 1 AS sum, current_setting('data_directory') AS directory")
    expect(row?.["sum"]).toBe(2)
    await server.stop()
    await server.stop()
    expect(await connects(server.port)).toBe(false)
    expect(existsSync(String(row?.["directory"]))).toBe(false)
  })

  test("listens only on the loopback address", async () => {
    await using server = await startPostgres()
    expect(await query(server.url, "SHOW listen_addresses")).toEqual([{ listen_addresses: "127.0.0.1" }])
    expect(await query(server.url, "SHOW unix_socket_directories")).toEqual([{ unix_socket_directories: "" }])
  })

  test("answers nothing while paused and everything after resume", async () => {
    await using server = await startPostgres()
    const client = new Client({ connectionString: server.url })
    await client.connect()
    await server.pause()
    const answer = client.query("SELECT 'late' AS word").then(({ rows }) => rows)
    expect(await Promise.race([answer, sleep(300, "silence")])).toBe("silence")
    await server.resume()
    expect(await answer).toEqual([{ word: "late" }])
    await client.end()
  })

  test("refuses connections after kill and has what was committed after restart", async () => {
    await using server = await startPostgres({ durable: true })
    await query(server.url, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")
    const open = new Client({ connectionString: server.url })
    const lost = new Promise((resolve) => open.on("error", resolve))
    await open.connect()
    await server.kill()
    expect(await lost).toBeInstanceOf(Error)
    expect(await connects(server.port)).toBe(false)
    await server.restart()
    expect(await query(server.url, "SELECT id FROM kept")).toEqual([{ id: 1 }])
  })

  test("syncs commits only when it is durable", async () => {
    await using fast = await startPostgres()
    await using durable = await startPostgres({ durable: true })
    expect(await query(fast.url, "SHOW fsync")).toEqual([{ fsync: "off" }])
    expect(await query(durable.url, "SHOW fsync")).toEqual([{ fsync: "on" }])
    expect(durable.port).not.toBe(fast.port)
  })

  test("stops a server that is paused", async () => {
    const server = await startPostgres()
    await server.pause()
    await server.stop()
    expect(await connects(server.port)).toBe(false)
  })
})
