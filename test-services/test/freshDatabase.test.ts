import { freshDatabase } from "@multistatus/test-services"
import { Redis } from "ioredis"
import { Client } from "pg"
import { describe, expect, inject, test } from "vitest"

describe("freshDatabase", () => {
  test("gives every caller an empty PostgreSQL database on the shared server", async () => {
    const [first, second] = await Promise.all([inject("postgresUrl"), inject("postgresUrl")].map(freshDatabase))
    for (const url of [first, second]) {
      const client = new Client({ connectionString: url })
      await client.connect()
      await client.query("CREATE TABLE mine (id int)")
      await client.end()
    }
    expect(first).not.toBe(second)
  })

  test("gives every caller its own numbered Redis database", async () => {
    const [first = "", second = ""] = await Promise.all([inject("redisUrl"), inject("redisUrl")].map(freshDatabase))
    const one = new Redis(first)
    const two = new Redis(second)
    await one.set("key", "value")
    expect(await two.get("key")).toBeNull()
    await Promise.all([one.quit(), two.quit()])
  })

  test("refuses a server on which it cannot create databases", async () => {
    await expect(freshDatabase("http://127.0.0.1/")).rejects.toThrow("No databases can be made")
  })
})
