import { startRedis } from "@multistatus/test-services"
import type { Redis } from "ioredis"
import { describe, expect, it, vi } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { hashTag } from "../../src/idempotency/hashTag.ts"
import { redisClient, redisCluster } from "../../src/connection/redisClient.ts"
import { redisIdempotencyStore } from "../../src/idempotency/redisIdempotencyStore.ts"
import { claims, completions, hashOf, times } from "../support/items.ts"
import { startWire } from "../support/Wire.ts"

/** Far more than a rejection takes, far less than any default of ioredis. */
const atOnceMs = 500

const fresh = (count: number) => Array.from({ length: count }, () => ({ _tag: "fresh", fence: 1 }))

const rejectsWithin = async (ms: number, call: () => Promise<unknown>): Promise<void> => {
  const startedAt = performance.now()
  await expect(call()).rejects.toThrow()
  expect(performance.now() - startedAt).toBeLessThan(ms)
}

const listening = (client: Redis): AsyncDisposable & { readonly client: Redis } => {
  client.on("error", () => {})
  return { client, [Symbol.asyncDispose]: async () => client.disconnect() }
}

describe("a store whose Redis fails", () => {
  it("sends its scripts again after SCRIPT FLUSH, to one key and to a thousand", async () => {
    await using server = await startRedis()
    await using connection = listening(redisClient(server.url))
    const { client } = connection
    await checkRedis(client)
    const store = redisIdempotencyStore(client)
    for (const count of [1, 1_000]) {
      await client.script("FLUSH")
      expect(await store.acquire(claims(count, `flushed ${count}`), times())).toEqual(fresh(count))
    }
    const owner = times()
    await store.acquire(claims(250, "between"), owner)
    await client.script("FLUSH")
    expect(await store.settle(completions(250, "between"), owner)).toEqual(
      completions(250, "between").map(() => "applied"),
    )
    await client.script("FLUSH")
    expect(await store.peek(hashOf("between 0"))).toMatchObject({ state: "done" })
    await client.script("FLUSH")
    expect(await store.resolve(hashOf("between 0"), "forget")).toBe(false)
  })

  it("rejects at once while its server is down, and works again when it is back", async () => {
    await using server = await startRedis({ durable: true })
    await using connection = listening(redisClient(server.url))
    const { client } = connection
    await checkRedis(client)
    const store = redisIdempotencyStore(client)
    const owner = times()
    expect(await store.acquire(claims(3, "durable"), owner)).toEqual(fresh(3))
    await server.kill()
    await vi.waitUntil(() => client.status !== "ready")
    for (let call = 0; call < 3; call++) {
      await rejectsWithin(atOnceMs, () => store.acquire(claims(200, "down"), times()))
      await rejectsWithin(atOnceMs, () => store.settle(completions(3, "durable"), owner))
      await rejectsWithin(atOnceMs, () => store.peek(hashOf("durable 0")))
    }
    await server.restart()
    await vi.waitUntil(() => client.status === "ready", 10_000)
    expect(await store.settle(completions(3, "durable"), owner)).toEqual(["applied", "applied", "applied"])
  })

  it("rejects at once before it is connected, and when nothing listens", async () => {
    await using connection = listening(redisClient("redis://127.0.0.1:1"))
    const store = redisIdempotencyStore(connection.client)
    await rejectsWithin(atOnceMs, () => store.acquire(claims(1, "nobody"), times()))
    await expect(checkRedis(connection.client, { timeout: "1 second" })).rejects.toThrow()
  })

  it("rejects in time when its server neither answers nor closes the connection", async () => {
    await using server = await startRedis()
    await using connection = listening(redisClient(server.url, { commandTimeout: 200 }))
    await checkRedis(connection.client)
    const store = redisIdempotencyStore(connection.client)
    const owner = times()
    await store.acquire(claims(1, "before"), owner)
    await server.pause()
    await rejectsWithin(1_000, () => store.acquire(claims(150, "paused"), owner))
    await server.resume()
    // It may have arrived nevertheless: asking again is how to know, and harmless.
    const tags = (await store.acquire(claims(150, "paused"), owner)).map(({ _tag }) => _tag)
    expect(new Set(tags)).toEqual(new Set(["mine"]))
  })

  it("recognises its own claims when a reply is lost and the call is sent again", async () => {
    await using server = await startRedis()
    await using wire = await startWire(server.port)
    await using connection = listening(redisClient(`redis://127.0.0.1:${wire.port}`))
    await checkRedis(connection.client)
    const store = redisIdempotencyStore(connection.client)
    const owner = times()
    // Scripts that the server does not have yet would be answered with that, and nothing would have been applied.
    await store.acquire(claims(1, "warm"), owner)
    await store.settle(completions(1, "warm"), owner)
    wire.loseNextReply()
    const again = () => store.acquire(claims(5, "lost"), owner)
    const answers = await again().catch(() => vi.waitFor(again))
    expect(answers).toEqual(answers.map(() => ({ _tag: "mine", fence: 1, journal: "" })))
    wire.loseNextReply()
    const settle = () => store.settle(completions(5, "lost"), owner)
    expect(await settle().catch(() => vi.waitFor(settle))).toEqual(answers.map(() => "already"))
  })

  it("rejects when its server is full", async () => {
    await using server = await startRedis()
    await using connection = listening(redisClient(server.url))
    const { client } = connection
    await checkRedis(client)
    const store = redisIdempotencyStore(client)
    const owner = times()
    await store.acquire(claims(2, "full"), owner)
    await client.config("SET", "maxmemory", "1")
    await expect(store.acquire(claims(1, "no room"), owner)).rejects.toThrow("OOM")
    await expect(store.settle(completions(2, "full"), owner)).rejects.toThrow("OOM")
    await client.config("SET", "maxmemory", "0")
    expect(await store.settle(completions(2, "full"), owner)).toEqual(["applied", "applied"])
  })
})

describe("a store whose cluster fails", () => {
  it("rejects in time while the cluster is down, and works again when it is back", { timeout: 60_000 }, async () => {
    await using server = await startRedis({ cluster: true })
    const client = redisCluster([server.url])
    client.on("error", () => {})
    try {
      await checkRedis(client)
      const store = redisIdempotencyStore(client)
      expect(await store.acquire(claims(100, "cluster"), times())).toEqual(fresh(100))
      await server.kill()
      await rejectsWithin(5_000, () => store.acquire(claims(100, "down"), times()))
      await vi.waitUntil(() => client.status !== "ready", 10_000)
      await rejectsWithin(atOnceMs, () => store.acquire(claims(100, "down"), times()))
      await server.restart()
      await vi.waitFor(() => store.acquire(claims(100, "back"), times()), { timeout: 30_000, interval: 100 })
    } finally {
      client.disconnect()
    }
  })

  it("follows slots that moved to another node", async () => {
    await using server = await startRedis({ cluster: true })
    const client = redisCluster([server.url])
    try {
      await checkRedis(client)
      const store = redisIdempotencyStore(client)
      const owner = times()
      await store.acquire(claims(100, "moving"), owner)
      const nodes = client.nodes("master")
      const ids = await Promise.all(nodes.map((node) => node.cluster("MYID")))
      const tags = [...new Set(claims(100, "moved").map(({ key }) => hashTag(key)))]
      expect(tags).toHaveLength(16)
      const slots = await Promise.all(tags.map((tag) => nodes[0]!.cluster("KEYSLOT", `{${tag}}`)))
      // Behind the back of the client, and only when they are empty.
      for (const node of nodes) await node.flushall()
      for (const [index, slot] of slots.entries()) {
        for (const node of nodes) await node.cluster("SETSLOT", slot, "NODE", String(ids[index % ids.length]))
      }
      expect(await store.acquire(claims(100, "moved"), owner)).toEqual(fresh(100))
      const done = await store.settle(completions(100, "moved"), owner)
      expect(done).toEqual(done.map(() => "applied"))
      for (const [index, node] of nodes.entries()) {
        const expected = tags.filter((_, tag) => tag % ids.length === index)
        const found = (await node.keys("*")).map((name) => /\{(.*)\}/.exec(name)?.[1])
        expect(new Set(found)).toEqual(new Set(expected))
      }
    } finally {
      client.disconnect()
    }
  })
})
