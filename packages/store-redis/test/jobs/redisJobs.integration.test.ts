import { JobStoreContract } from "@multistatus/core/testing"
import { startRedis } from "@multistatus/test-services"
import { setTimeout as sleep } from "node:timers/promises"
import { describe, expect, inject, it, vi } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { redisClient, redisCluster } from "../../src/connection/redisClient.ts"
import { redisJobs } from "../../src/jobs/redisJobs.ts"
import { engine } from "../support/engine.ts"
import { swift } from "../support/queues.ts"

const { extentOf, newChunks, newJob, noLimits } = JobStoreContract

describe("jobs on Redis", () => {
  it("run concurrently on a cluster, each chunk once", async () => {
    const client = redisCluster([inject("redisClusterUrl")])
    await checkRedis(client)
    const { store, queue } = redisJobs({ client, prefix: "many", ...swift })
    const { ran, handlers } = engine(store, queue, 1)
    const consumers = await Promise.all([queue.consume(handlers, 4), queue.consume(handlers, 4)])
    const jobs = Array.from({ length: 10 }, () => newJob())
    for (const job of jobs) {
      const acceptance = await store.submit(job, extentOf(newChunks(12)), newChunks(12), noLimits)
      if (acceptance._tag === "accepted") await queue.enqueue(acceptance.due)
    }
    await vi.waitUntil(async () => (await store.queued()) === 0, 20_000)
    for (const { id } of jobs) expect(await store.find(id)).toMatchObject({ state: "succeeded", succeeded: 24 })
    expect(ran).toHaveLength(120)
    await Promise.all(consumers.map((consumer) => consumer.close(1_000)))
    await queue.close()
    client.disconnect()
  })

  it("continue after Redis was killed and restarted", { timeout: 60_000 }, async () => {
    await using server = await startRedis({ durable: true })
    const client = redisClient(server.url)
    client.on("error", () => {})
    await checkRedis(client, { jobs: true })
    const { store, queue } = redisJobs({ client, ...swift, attempts: 10, onError: () => {} })
    const { ran, handlers, reconcile } = engine(store, queue)
    const job = newJob()
    const chunks = newChunks(60)
    const acceptance = await store.submit(job, extentOf(chunks), chunks, noLimits)
    if (acceptance._tag === "accepted") await queue.enqueue(acceptance.due)
    const consumer = await queue.consume(handlers, 2)
    await vi.waitUntil(() => ran.length >= 10, 10_000)
    await server.kill()
    await sleep(1_000)
    expect(ran.length).toBeLessThan(60)
    await server.restart()
    await vi.waitUntil(
      async () => {
        // A worker whose connection broke may not have enqueued the chunks that are due next.
        await reconcile(2_000).catch(() => {})
        const found = await store.find(job.id).catch(() => undefined)
        return found?.state === "succeeded"
      },
      { timeout: 30_000, interval: 100 },
    )
    expect(await store.find(job.id)).toMatchObject({ succeeded: 120, failed: 0, skipped: 0 })
    expect(new Set(ran).size).toBe(60)
    expect(ran.length).toBeLessThanOrEqual(64)
    await consumer.close(1_000)
    await queue.close()
    client.disconnect()
  })
})
