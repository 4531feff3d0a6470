import { setTimeout as sleep } from "node:timers/promises"
import { freshDatabase, startMariadb } from "@multistatus/test-services"
import { createConnection } from "mysql2/promise"
import { describe, expect, test } from "vitest"
import { connects } from "./support/connects.ts"

describe("startMariadb", () => {
  test("answers, pauses, resumes, survives a kill and is gone after stop", async () => {
    const server = await startMariadb({ durable: true })
    const url = await freshDatabase(server.url)
    const before = await createConnection(url)
    before.on("error", () => undefined)
    await before.query("CREATE TABLE kept (id int PRIMARY KEY) ENGINE=InnoDB")
    await before.query("INSERT INTO kept VALUES (1)")

    await server.pause()
    const answer = before.query("SELECT id FROM kept").then(([rows]) => rows)
    expect(await Promise.race([answer, sleep(300, "silence")])).toBe("silence")
    await server.resume()
    expect(await answer).toEqual([{ id: 1 }])

    await server.kill()
    expect(await connects(server.port)).toBe(false)
    await server.restart()
    const after = await createConnection(url)
    expect((await after.query("SELECT id FROM kept"))[0]).toEqual([{ id: 1 }])
    await after.end()

    await server.stop()
    expect(await connects(server.port)).toBe(false)
  })
})
