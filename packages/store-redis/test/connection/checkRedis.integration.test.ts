import { startRedis } from "@multistatus/test-services"
import { Redis } from "ioredis"
import { describe, expect, inject, it, vi } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { redisClient, redisCluster } from "../../src/connection/redisClient.ts"

describe("checkRedis", () => {
  it("does not warn of a server that evicts nothing", async () => {
    const client = redisClient(inject("redisUrl"))
    const warn = vi.fn<(message: string) => void>()
    expect(await checkRedis(client, { warn })).toEqual([])
    expect(warn).not.toHaveBeenCalled()
    client.disconnect()
  })

  it("connects a lazy client", async () => {
    const client = redisClient(inject("redisUrl"), { lazyConnect: true })
    expect(await checkRedis(client)).toEqual([])
    client.disconnect()
  })

  it.each(["allkeys-lru", "volatile-lru", "volatile-ttl", "allkeys-random"])(
    "warns of a server that evicts records, and says what to do: %s",
    async (policy) => {
      await using server = await startRedis()
      const client = redisClient(server.url)
      await checkRedis(client)
      await client.config("SET", "maxmemory-policy", policy)
      const warn = vi.fn<(message: string) => void>()
      const warnings = await checkRedis(client, { warn })
      expect(warnings).toEqual([expect.stringContaining(`maxmemory-policy ${policy}`)])
      expect(warnings[0]).toContain(`Redis at 127.0.0.1:${server.port}`)
      expect(warnings[0]).toContain("Set maxmemory-policy to noeviction")
      expect(warn.mock.calls).toEqual([warnings])
      client.disconnect()
    },
  )

  it("warns of a server that loses jobs at a restart, and says what to do", async () => {
    await using forgetful = await startRedis()
    await using durable = await startRedis({ durable: true })
    const [one, other] = [redisClient(forgetful.url), redisClient(durable.url)]
    expect(await checkRedis(one)).toEqual([])
    const warnings = await checkRedis(one, { jobs: true, warn: () => {} })
    expect(warnings).toEqual([expect.stringContaining("appendonly no")])
    expect(warnings[0]).toContain("Set appendonly to yes")
    await one.config("SET", "maxmemory-policy", "allkeys-lru")
    const [eviction] = await checkRedis(one, { jobs: true, warn: () => {} })
    expect(eviction).toContain("jobs would be lost")
    expect(await checkRedis(other, { jobs: true })).toEqual([])
    one.disconnect()
    other.disconnect()
  })

  it("warns of a replica", async () => {
    await using primary = await startRedis()
    await using replica = await startRedis()
    const client = redisClient(replica.url)
    await checkRedis(client)
    await client.replicaof("127.0.0.1", primary.port)
    expect(await checkRedis(client, { warn: () => {} })).toEqual([expect.stringContaining("is a replica")])
    client.disconnect()
  })

  it("warns of a client that waits for a dead server", async () => {
    const client = new Redis(inject("redisUrl"))
    const warnings = await checkRedis(client, { warn: () => {} })
    expect(warnings).toEqual([expect.stringContaining("waits long for a server that is down")])
    client.disconnect()
  })

  it("checks every master of a cluster", async () => {
    await using server = await startRedis({ cluster: true })
    const client = redisCluster([server.url])
    expect(await checkRedis(client)).toEqual([])
    const nodes = client.nodes("master")
    expect(nodes).toHaveLength(3)
    for (const node of nodes) await node.config("SET", "maxmemory-policy", "allkeys-lfu")
    const warnings = await checkRedis(client, { warn: () => {} })
    expect(warnings).toHaveLength(3)
    expect(new Set(warnings).size).toBe(3)
    client.disconnect()
  })

  it("emits process warnings by default", async () => {
    const emit = vi.spyOn(process, "emitWarning").mockImplementation(() => {})
    const client = new Redis(inject("redisUrl"))
    const warnings = await checkRedis(client)
    expect(emit.mock.calls).toEqual(warnings.map((warning) => [warning, "MultistatusWarning"]))
    emit.mockRestore()
    client.disconnect()
  })
})
