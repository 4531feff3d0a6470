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

/** A queue that is closed when it is disposed. */
const disposable = (queue: ChunkQueue) => ({ queue, [Symbol.asyncDispose]: () => queue.close() })

describe("a queue on BullMQ", () => {
  it.each(["a URL", "a client", "a cluster", "a backend"])("delivers refs over %s", async (over) => {
    const url = await freshDatabase(inject("redisUrl"))
    const client = over === "a cluster" ? redisCluster([inject("redisClusterUrl")]) : redisClient(url)
    await checkRedis(client)
    const factory = vi.fn<typeof createRedisBackend>(createRedisBackend)
    const connection = new Redis(url, { maxRetriesPerRequest: null })
    await using opened = disposable(
      bullmqQueue(over === "a URL" ? url : client, {
        prefix: `deliver ${over}`,
        ...(over === "a backend" && { backend: { factory, connection } }),
      }),
    )
    const { queue } = opened
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

  it("leaves no completed refs in Redis, and few keys of the queue itself", async () => {
    const url = await freshDatabase(inject("redisUrl"))
    await using opened = disposable(bullmqQueue(url, swift))
    const { handlers, delivered } = recorder()
    const consumer = await opened.queue.consume(handlers, 4)
    await opened.queue.enqueue(Array.from({ length: 500 }, (_, chunk) => refOf(chunk)))
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

  it("enqueues refs after SCRIPT FLUSH", async () => {
    const url = await freshDatabase(inject("redisUrl"))
    await using opened = disposable(bullmqQueue(url, swift))
    const client = new Redis(url)
    const { handlers, delivered } = recorder()
    const consumer = await opened.queue.consume(handlers, 1)
    for (let chunk = 0; chunk < 5; chunk++) {
      await opened.queue.enqueue([refOf(2 * chunk), refOf(2 * chunk + 1)])
      await client.script("FLUSH")
    }
    await vi.waitUntil(() => delivered.length === 10, 5_000)
    await consumer.close(1_000)
    client.disconnect()
  })

  it("rejects at once while Redis is down, and works after it is back", async () => {
    await using server = await startRedis({ durable: true })
    const onError = vi.fn<(error: Error) => void>()
    await using opened = disposable(bullmqQueue(server.url, { ...swift, onError }))
    const { queue } = opened
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

  it("rejects if there is no server, and can be closed", async () => {
    const queue = bullmqQueue("redis://127.0.0.1:1", { onError: () => {} })
    await expect(queue.enqueue([refOf(0)])).rejects.toThrow()
    const consumer = await queue.consume(recorder().handlers, 1)
    const startedAt = performance.now()
    await consumer.close(100)
    await queue.close()
    expect(performance.now() - startedAt).toBeLessThan(6_000)
  })

  it("redelivers a ref whose handler had not ended when its consumer closed", async () => {
    const url = await freshDatabase(inject("redisUrl"))
    await using opened = disposable(bullmqQueue(url, swift))
    const { queue } = opened
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

  it("aborts the signal of a ref that it has redelivered to another worker", async () => {
    const url = await freshDatabase(inject("redisUrl"))
    await using opened = disposable(bullmqQueue(url, swift))
    const client = new Redis(url)
    const fired = Promise.withResolvers<unknown>()
    const { handlers, delivered } = recorder(async ({ signal }) => {
      signal.addEventListener("abort", () => fired.resolve(signal.reason))
      if (delivered.length === 1) await fired.promise
    })
    const consumer = await opened.queue.consume(handlers, 1)
    await opened.queue.enqueue([refOf(0)])
    await vi.waitUntil(() => delivered.length === 1, 5_000)
    const [lock = ""] = await client.keys("*:lock")
    await client.set(lock, "another worker")
    expect(String(await fired.promise)).toContain("redelivered this chunk to another worker")
    await consumer.close(1_000)
    client.disconnect()
  })

  it("names the package to install if BullMQ is missing", async () => {
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
  ])("refuses the options %j", (options, message) => {
    expect(() => bullmqQueue("redis://127.0.0.1:1", options)).toThrow(message)
  })

  it("does not deliver a delayed ref early", async () => {
    const url = await freshDatabase(inject("redisUrl"))
    await using opened = disposable(bullmqQueue(url, swift))
    const { handlers, delivered } = recorder()
    const consumer = await opened.queue.consume(handlers, 1)
    await opened.queue.enqueue([refOf(0)], { delayMs: 600 })
    await sleep(400)
    expect(delivered).toEqual([])
    await vi.waitUntil(() => delivered.length === 1, 5_000)
    await consumer.close(1_000)
  })
})
