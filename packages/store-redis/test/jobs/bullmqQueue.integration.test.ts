import type { ChunkQueue } from "@multistatus/core/store"
import { freshDatabase, startRedis } from "@multistatus/test-services"
import { createRedisBackend } from "bullmq"
import { Redis } from "ioredis"
import { setTimeout as sleep } from "node:timers/promises"
import { describe, expect, inject, it, vi } from "vitest"
import { bullmqQueue } from "../../src/jobs/bullmqQueue.ts"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { redisClient, redisCluster } from "../../src/connection/redisClient.ts"
import { recorder, refOf, swift } from "../support/queues.ts"

const ending = (queue: ChunkQueue) => ({ queue, [Symbol.asyncDispose]: () => queue.close() })

describe("a queue on BullMQ", () => {
  it.each(["a URL", "a client", "a cluster", "a backend"])("carries refs over %s", async (over) => {
    const url = await freshDatabase(inject("redisUrl"))
    const client = over === "a cluster" ? redisCluster([inject("redisClusterUrl")]) : redisClient(url)
    await checkRedis(client)
    const factory = vi.fn<typeof createRedisBackend>(createRedisBackend)
    const connection = new Redis(url, { maxRetriesPerRequest: null })
    await using held = ending(
      bullmqQueue(over === "a URL" ? url : client, {
        prefix: `carry ${over}`,
        ...(over === "a backend" && { backend: { factory, connection } }),
      }),
    )
    const { queue } = held
    const { handlers, delivered } = recorder()
    await queue.enqueue([refOf(0), refOf(1)])
    const consumer = await queue.consume(handlers, 2)
    await queue.enqueue([refOf(2)])
    await vi.waitUntil(() => delivered.length === 3, 5_000)
    expect(delivered.map(({ chunk }) => chunk).sort()).toEqual([0, 1, 2])
    await consumer.close(1_000)
    expect(factory).toHaveBeenCalledTimes(over === "a backend" ? 2 : 0)
    client.disconnect()
    connection.disconnect()
  })

  it("leaves nothing in Redis of what was done, and little of the queue itself", async () => {
    const url = await freshDatabase(inject("redisUrl"))
    await using held = ending(bullmqQueue(url, swift))
    const { handlers, delivered } = recorder()
    const consumer = await held.queue.consume(handlers, 4)
    await held.queue.enqueue(Array.from({ length: 500 }, (_, chunk) => refOf(chunk)))
    await vi.waitUntil(() => delivered.length === 500, 10_000)
    await consumer.close(1_000)
    const client = new Redis(url)
    const names = await client.keys("*")
    expect(names.sort()).toEqual(
      ["events", "id", "marker", "meta", "stalled-check"]
        .map((key) => `{multistatus}:chunks:${key}`)
        .filter((key) => names.includes(key)),
    )
    expect(await client.xlen("{multistatus}:chunks:events")).toBeLessThan(400)
    client.disconnect()
  })

  it("sends refs after SCRIPT FLUSH", async () => {
    const url = await freshDatabase(inject("redisUrl"))
    await using held = ending(bullmqQueue(url, swift))
    const client = new Redis(url)
    const { handlers, delivered } = recorder()
    const consumer = await held.queue.consume(handlers, 1)
    for (let chunk = 0; chunk < 5; chunk++) {
      await held.queue.enqueue([refOf(2 * chunk), refOf(2 * chunk + 1)])
      await client.script("FLUSH")
    }
    await vi.waitUntil(() => delivered.length === 10, 5_000)
    await consumer.close(1_000)
    client.disconnect()
  })

  it("rejects at once while Redis is down, and works again when it is back", async () => {
    await using server = await startRedis({ durable: true })
    const onError = vi.fn<(error: Error) => void>()
    await using held = ending(bullmqQueue(server.url, { ...swift, onError }))
    const { queue } = held
    const { handlers, delivered } = recorder()
    await queue.enqueue([refOf(0)])
    await server.kill()
    const startedAt = performance.now()
    await expect(queue.enqueue([refOf(1)])).rejects.toThrow()
    expect(performance.now() - startedAt).toBeLessThan(2_500)
    const consumer = await queue.consume(handlers, 1)
    await vi.waitUntil(() => onError.mock.calls.length > 0, 10_000)
    await server.restart()
    await vi.waitFor(() => queue.enqueue([refOf(1)]), 5_000)
    await vi.waitUntil(() => delivered.length === 2, 10_000)
    await consumer.close(1_000)
  })

  it("rejects when nothing listens, and may be closed", async () => {
    const queue = bullmqQueue("redis://127.0.0.1:1", { onError: () => {} })
    await expect(queue.enqueue([refOf(0)])).rejects.toThrow()
    const consumer = await queue.consume(recorder().handlers, 1)
    const startedAt = performance.now()
    await consumer.close(100)
    await queue.close()
    expect(performance.now() - startedAt).toBeLessThan(6_000)
  })

  it("delivers to another what its consumer had not ended when it was closed", async () => {
    const url = await freshDatabase(inject("redisUrl"))
    await using held = ending(bullmqQueue(url, swift))
    const { queue } = held
    const aborted = Promise.withResolvers<void>()
    const stubborn = recorder(({ signal }) => {
      signal.addEventListener("abort", () => aborted.resolve())
      return new Promise(() => {})
    })
    const first = await queue.consume(stubborn.handlers, 1)
    await queue.enqueue([refOf(0)])
    await vi.waitUntil(() => stubborn.delivered.length === 1, 5_000)
    const closed = first.close(100)
    await aborted.promise
    await closed
    const { handlers, delivered } = recorder()
    const second = await queue.consume(handlers, 1)
    await vi.waitUntil(() => delivered.length === 1, 5_000)
    expect(stubborn.dead).toEqual([])
    await second.close(1_000)
  })

  it("fires the signal of a chunk that it has given to another", async () => {
    const url = await freshDatabase(inject("redisUrl"))
    await using held = ending(bullmqQueue(url, swift))
    const client = new Redis(url)
    const fired = Promise.withResolvers<unknown>()
    const { handlers, delivered } = recorder(async ({ signal }) => {
      signal.addEventListener("abort", () => fired.resolve(signal.reason))
      if (delivered.length === 1) await fired.promise
    })
    const consumer = await held.queue.consume(handlers, 1)
    await held.queue.enqueue([refOf(0)])
    await vi.waitUntil(() => delivered.length === 1, 5_000)
    const [lock = ""] = await client.keys("*:lock")
    await client.set(lock, "of another")
    expect(String(await fired.promise)).toContain("given this chunk to another worker")
    await consumer.close(1_000)
    client.disconnect()
  })

  it("says what to install where BullMQ is missing", async () => {
    vi.doMock("bullmq", () => {
      throw new Error("Cannot find package 'bullmq'")
    })
    await expect(bullmqQueue(inject("redisUrl")).enqueue([refOf(0)])).rejects.toThrow("npm install bullmq")
    await expect(bullmqQueue(inject("redisUrl")).consume(recorder().handlers, 1)).rejects.toThrow("npm install bullmq")
    vi.doUnmock("bullmq")
  })

  it.each([
    [{ prefix: "a{b" }, "without braces"],
    [{ name: "a:b" }, "without colons"],
    [{ lockDuration: 1.5 }, `"lockDuration" must be a duration`],
    [{ stalledInterval: 0 }, `"stalledInterval" must be a duration`],
    [{ attempts: 0 }, `"attempts" must be a whole number`],
  ])("refuses options that make no sense: %j", (options, message) => {
    expect(() => bullmqQueue("redis://127.0.0.1:1", options)).toThrow(message)
  })

  it("delivers a ref that is delayed not before its time", async () => {
    const url = await freshDatabase(inject("redisUrl"))
    await using held = ending(bullmqQueue(url, swift))
    const { handlers, delivered } = recorder()
    const consumer = await held.queue.consume(handlers, 1)
    await held.queue.enqueue([refOf(0)], { delayMs: 600 })
    await sleep(400)
    expect(delivered).toEqual([])
    await vi.waitUntil(() => delivered.length === 1, 5_000)
    await consumer.close(1_000)
  })
})
