import { JobStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import type { Redis } from "ioredis"
import { expect, inject, it } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { redisClient } from "../../src/connection/redisClient.ts"
import { makeJobKeys } from "../../src/jobs/JobKeys.ts"
import { redisJobStore } from "../../src/jobs/redisJobStore.ts"
import { hashOf } from "../support/items.ts"

const { bothSucceeded, extentOf, keepMs, newChunks, newJob } = JobStoreContract

/** A client that fails now and then before it sends a command, as if its process died. */
const failing = (client: Redis, probability: number): Redis =>
  new Proxy(client, {
    get: (target, name) => {
      if (name === "pipeline" && Math.random() < probability) throw new Error("The process died")
      const value: unknown = Reflect.get(target, name)
      return typeof value === "function" ? value.bind(target) : value
    },
  })

const ignoreFailure = (call: Promise<unknown>): Promise<unknown> => call.catch(() => undefined)

it("counts unfinished work exactly, although processes die between steps", { timeout: 60_000 }, async () => {
  const client = redisClient(await freshDatabase(inject("redisUrl")))
  await checkRedis(client)
  const failingStore = redisJobStore(failing(client, 0.1))
  const store = redisJobStore(client)
  const { counts, open } = makeJobKeys("multistatus").ofAll
  const limits = { queuedOperations: 200, jobsPerTenant: 30 }
  const later = Date.now() + 3_600_000
  const jobs = Array.from({ length: 300 }, (_, index) =>
    newJob({ tenant: `t${index % 3}`, key: index % 4 === 0 ? hashOf(`key ${index % 40}`) : undefined }),
  )
  let maxQueued = 0

  const runJob = async (job: (typeof jobs)[number]): Promise<void> => {
    const chunks = newChunks(2)
    const acceptance = await failingStore.submit(job, extentOf(chunks), chunks, limits).catch(() => undefined)
    maxQueued = Math.max(maxQueued, await store.queued())
    if (acceptance?._tag !== "accepted") return
    if (Math.random() < 0.2) await ignoreFailure(failingStore.cancel(job.id, keepMs))
    for (const chunk of [0, 1]) {
      const started = await failingStore.start({ job: job.id, chunk }).catch(() => undefined)
      if (started === undefined) continue
      await ignoreFailure(failingStore.commit(started.hold, bothSucceeded, keepMs))
    }
    if (Math.random() < 0.1) await ignoreFailure(failingStore.overdue(1_000, 100, later))
  }
  const waiting = [...jobs]
  const work = async (): Promise<void> => {
    for (let job = waiting.pop(); job !== undefined; job = waiting.pop()) await runJob(job)
  }
  await Promise.all(Array.from({ length: 12 }, work))
  expect(maxQueued).toBeLessThanOrEqual(200)

  for (let refs = await store.overdue(0, 1_000, later); refs.length > 0; refs = await store.overdue(0, 1_000, later)) {
    for (const ref of refs) {
      const started = await store.start(ref)
      if (started !== undefined) await store.commit(started.hold, bothSucceeded, keepMs)
    }
  }
  expect(await client.hgetall(counts)).toEqual({ q: "0" })
  const records = await Promise.all(jobs.map(({ id }) => store.find(id)))
  const found = records.filter((record) => record !== undefined)
  expect(found.length).toBeGreaterThan(50)
  expect(new Set(found.map(({ state }) => state))).toEqual(new Set(["succeeded", "cancelled"]))
  expect(await client.zcard(open)).toBe(0)
  client.disconnect()
})
