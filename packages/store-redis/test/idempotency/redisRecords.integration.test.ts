import { freshDatabase } from "@multistatus/test-services"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { redisClient, redisCluster } from "../../src/connection/redisClient.ts"
import { redisIdempotencyStore } from "../../src/idempotency/redisIdempotencyStore.ts"
import { claims, completions, fingerprint, hashOf, times } from "../support/items.ts"
import { startWire } from "../support/Wire.ts"

describe("records in Redis", () => {
  let client: ReturnType<typeof redisClient>

  beforeAll(async () => {
    client = redisClient(await freshDatabase(inject("redisUrl")))
    await checkRedis(client)
  })
  afterAll(() => client.disconnect())

  it("are strings under the prefix, one for each key", async () => {
    const store = redisIdempotencyStore(client, { prefix: "shop" })
    const owner = times()
    await store.acquire(claims(40, "named"), owner)
    const names = await client.keys("*")
    expect(names).toHaveLength(40)
    for (const name of names) expect(name).toMatch(/^shop:idempotency:\{[a-z]{2}\}:[\w-]{43}$/)
    expect(await client.strlen(names[0]!)).toBe(110)
    await store.settle(completions(40, "named"), owner)
    expect(await client.get(names[0]!)).toMatch(/^D00000001[\w-]{22}[\w-]{43}\d{36}\{"of":"[\w-]{43}"\}$/)
  })

  it("of stores with different prefixes are independent", async () => {
    const [one, two] = [redisIdempotencyStore(client, { prefix: "one" }), redisIdempotencyStore(client)]
    await one.acquire(claims(1, "shared"), times())
    expect(await two.peek(hashOf("shared 0"))).toBeUndefined()
    expect(await two.acquire(claims(1, "shared"), times())).toEqual([{ _tag: "fresh", fence: 1 }])
  })

  it("expire by themselves, each at its own time", async () => {
    const store = redisIdempotencyStore(client, { prefix: "ttl" })
    const owner = { ...times(), leaseMs: 1_000.2, pendingTtlMs: 20_000, resultTtlMs: 400_000 }
    const { now: _, ...later } = { ...owner, pendingTtlMs: 60_000, now: 0 }
    const ttls = async () => {
      const names = (await client.keys("ttl:*")).sort()
      return Promise.all(names.map((name) => client.pttl(name)))
    }
    const around = (ms: number) => (ttl: number) => ttl > ms - 5_000 && ttl <= ms
    const [item] = claims(1, "expiring")
    const settle = (action: Parameters<typeof store.settle>[0][number]["action"]) =>
      store.settle([{ key: item!.key, fingerprint, action }], later)
    await store.acquire([item!], owner)
    expect((await ttls()).every(around(20_000))).toBe(true)
    await store.acquire([item!], later)
    expect((await ttls()).every(around(60_000))).toBe(true)
    await client.pexpire((await client.keys("ttl:*"))[0]!, 10_000)
    await settle({ _tag: "extend" })
    expect((await ttls()).every(around(60_000))).toBe(true)
    await client.pexpire((await client.keys("ttl:*"))[0]!, 10_000)
    await settle({ _tag: "append", at: 0, chunk: "a" })
    expect((await ttls()).every(around(60_000))).toBe(true)
    await settle({ _tag: "complete", result: "{}" })
    expect((await ttls()).every(around(400_000))).toBe(true)
    expect(await settle({ _tag: "complete", result: "{}" })).toEqual(["already"])
    const [large] = claims(1, "large")
    await store.acquire([large!], owner)
    const complete = { _tag: "complete", result: "x".repeat(100_000) } as const
    await store.settle([{ key: large!.key, fingerprint, action: complete }], owner)
    expect((await ttls()).map(around(400_000))).toEqual([true, true])
    const [other] = claims(1, "released").map(({ key }) => ({ key, fingerprint, action: { _tag: "release" } as const }))
    await store.acquire(claims(1, "released"), owner)
    await store.settle([other!], owner)
    expect((await ttls()).filter(around(20_000))).toHaveLength(1)
    expect(await ttls()).toHaveLength(3)
  })

  it("are refused as a mismatch when they are damaged", async () => {
    const store = redisIdempotencyStore(client, { prefix: "damaged" })
    const owner = times()
    await store.acquire(claims(1, "damaged"), owner)
    const [name] = await client.keys("damaged:*")
    const whole = (await client.get(name!))!
    const cuts = [1, 20, 50, 74, 80, 87, 90, 100, 109].map((length) => whole.slice(0, length))
    for (const cut of [...cuts, "{}".repeat(99)]) {
      await client.set(name!, cut)
      expect(await store.acquire(claims(1, "damaged"), times())).toEqual([{ _tag: "mismatch" }])
      expect(await store.settle(completions(1, "damaged"), times())).toEqual(["refused"])
    }
    await client.del(name!)
    await client.lpush(name!, "not a string")
    await expect(store.acquire(claims(1, "damaged"), times())).rejects.toThrow("WRONGTYPE")
  })

  it("are not written with invalid keys, owners, fingerprints or prefixes", async () => {
    const store = redisIdempotencyStore(client, { prefix: "unfit" })
    const [item] = claims(1, "unfit")
    await expect(store.acquire([{ ...item!, key: "short" }], times())).rejects.toThrow("43 characters")
    await expect(store.acquire([{ ...item!, fingerprint: "é".repeat(43) }], times())).rejects.toThrow("43 characters")
    await expect(store.acquire([item!], times("short"))).rejects.toThrow("22 characters")
    await expect(store.peek("{}")).rejects.toThrow("43 characters")
    expect(await client.keys("unfit:*")).toEqual([])
    expect(() => redisIdempotencyStore(client, { prefix: "{a}" })).toThrow("no braces")
  })

  it.each([1, 10, 1_000])("take one round trip to claim, and one to settle: %i keys", async (count) => {
    await using wire = await startWire(Number(new URL(inject("redisUrl")).port))
    const wired = redisClient(`redis://127.0.0.1:${wire.port}`)
    await checkRedis(wired)
    const store = redisIdempotencyStore(wired, { prefix: `wire${count}` })
    const owner = times()
    const warm = { ...claims(1, "warm")[0]!, action: { _tag: "release" } as const }
    await store.acquire(claims(1, "warm"), owner)
    await store.settle([warm], owner)
    const trips = async (call: () => Promise<unknown>) => {
      const before = wire.roundTrips()
      await call()
      return wire.roundTrips() - before
    }
    expect(await trips(() => store.acquire(claims(count, "wired"), owner))).toBe(1)
    expect(await trips(() => store.acquire(claims(count, "wired"), owner))).toBe(1)
    expect(await trips(() => store.settle(completions(count, "wired"), owner))).toBe(1)
    expect(await trips(() => store.acquire(claims(count, "wired"), times()))).toBe(1)
    wired.disconnect()
  })
})

describe("records in Redis Cluster", () => {
  it("are spread evenly over the nodes", async () => {
    const client = redisCluster([inject("redisClusterUrl")])
    await checkRedis(client)
    const store = redisIdempotencyStore(client, { prefix: "spread" })
    await store.acquire(claims(1_600, "spread"), times())
    const counts = await Promise.all(client.nodes("master").map(async (node) => (await node.keys("spread:*")).length))
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1_600)
    for (const count of counts) expect(count).toBeGreaterThan(350)
    client.disconnect()
  })
})
