import { describe, expect, it } from "vitest"
import { checkRedis, redisClient, redisCluster, redisIdempotencyStore, redisQuotaStore } from "../src/index.ts"

describe("an error for a wrong argument says how to fix the call", () => {
  it.each([
    ["checkRedis", (client: never) => checkRedis(client)],
    ["redisIdempotencyStore", (client: never) => redisIdempotencyStore(client)],
    ["redisQuotaStore", (client: never) => redisQuotaStore(client)],
  ])("of %s without an ioredis client", async (name, call) => {
    const callWith = async (client: unknown) => call(client as never)
    const nodeRedisClient = { evalSha: () => {} }
    for (const client of [undefined, "redis://127.0.0.1:6379", nodeRedisClient]) {
      await expect(callWith(client)).rejects.toThrow(`${name} needs an ioredis client: pass redisClient(url)`)
    }
  })

  it("of redisClient without a URL", () => {
    expect(() => redisClient(undefined as never)).toThrow(
      "redisClient needs the URL of a Redis server, such as redis://127.0.0.1:6379, but got undefined",
    )
  })

  it("of redisCluster without nodes", () => {
    expect(() => redisCluster([])).toThrow('needs an array of nodes, such as ["redis://127.0.0.1:7000"]')
    expect(() => redisCluster("redis://127.0.0.1:7000" as never)).toThrow("needs an array of nodes")
  })
})
