import { setTimeout as sleep } from "node:timers/promises"
import { startRedis } from "@multistatus/test-services"
import { Cluster, Redis } from "ioredis"
import { describe, expect, test } from "vitest"
import { connects } from "./support/connects.ts"

describe("startRedis", () => {
  test("answers commands until it is stopped", async () => {
    const server = await startRedis()
    const redis = new Redis(server.url)
    expect(await redis.set("key", "value")).toBe("OK")
    expect(await redis.get("key")).toBe("value")
    await redis.quit()
    await server.stop()
    expect(await connects(server.port)).toBe(false)
  })

  test("answers nothing while paused and everything after resume", async () => {
    await using server = await startRedis()
    const redis = new Redis(server.url)
    await redis.ping()
    await server.pause()
    const answer = redis.ping()
    expect(await Promise.race([answer, sleep(300, "silence")])).toBe("silence")
    await server.resume()
    expect(await answer).toBe("PONG")
    await redis.quit()
  })

  test("keeps its data through kill and restart only when it is durable", async () => {
    await using durable = await startRedis({ durable: true })
    await using forgetful = await startRedis()
    for (const [server, kept] of [
      [durable, "value"],
      [forgetful, null],
    ] as const) {
      const before = new Redis(server.url, { retryStrategy: () => null })
      before.on("error", () => undefined)
      await before.set("key", "value")
      await server.kill()
      before.disconnect()
      expect(await connects(server.port)).toBe(false)
      await server.restart()
      const after = new Redis(server.url)
      expect(await after.get("key")).toBe(kept)
      await after.quit()
    }
  })

  test("forms a cluster whose nodes share the slots", async () => {
    await using server = await startRedis({ cluster: true })
    const cluster = new Cluster([server.url])
    const keys = Array.from({ length: 60 }, (_, index) => `key-${index}`)
    await Promise.all(keys.map((key) => cluster.set(key, key)))
    expect(await Promise.all(keys.map((key) => cluster.get(key)))).toEqual(keys)
    expect(cluster.nodes("master")).toHaveLength(3)
    await cluster.quit()

    const single = new Redis(server.url)
    await expect(single.mget("a", "b", "c")).rejects.toThrow("CROSSSLOT")
    await single.quit()
  })
})
