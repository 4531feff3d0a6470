import { JobStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import type { Redis } from "ioredis"
import { expect, inject, it } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { makeJobKeys } from "../../src/jobs/JobKeys.ts"
import { redisClient } from "../../src/connection/redisClient.ts"
import { redisJobStore } from "../../src/jobs/redisJobStore.ts"
import { hashOf } from "../support/items.ts"

const { both, extentOf, keepMs, newChunks, newJob, results } = JobStoreContract

/** A client whose process dies now and then before it has sent its next step. */
const mortal = (client: Redis, chance: number): Redis =>
  new Proxy(client, {
    get: (target, name) => {
      if (name === "pipeline" && Math.random() < chance) throw new Error("died")
      const value: unknown = Reflect.get(target, name)
      return typeof value === "function" ? value.bind(target) : value
    },
  })

const survived = (call: Promise<unknown>): Promise<unknown> => call.catch(() => undefined)

it("counts what waits exactly, whoever dies between which steps", { timeout: 60_000 }, async () => {
  const client = redisClient(await freshDatabase(inject("redisUrl")))
  await checkRedis(client)
  const dying = redisJobStore(mortal(client, 0.1))
  const store = redisJobStore(client)
  const limits = { queuedOperations: 200, jobsPerTenant: 30 }
  const later = Date.now() + 3_600_000
  const jobs = Array.from({ length: 300 }, (_, index) =>
    newJob({ tenant: `t${index % 3}`, key: index % 4 === 0 ? hashOf(`key ${index % 40}`) : undefined }),
  )
  let most = 0

  const live = async (job: (typeof jobs)[number]): Promise<void> => {
    const chunks = newChunks(2)
    const admission = await dying.submit(job, extentOf(chunks), chunks, limits).catch(() => undefined)
    most = Math.max(most, await store.queued())
    if (admission?._tag !== "accepted") return
    if (Math.random() < 0.2) await survived(dying.cancel(job.id, keepMs))
    for (const chunk of [0, 1]) {
      const started = await dying.start({ job: job.id, chunk }).catch(() => undefined)
      if (started === undefined) continue
      await survived(dying.commit(started.hold, { results, tally: both, halt: undefined }, keepMs))
    }
    if (Math.random() < 0.1) await survived(dying.overdue(1_000, 100, later))
  }
  const queue = [...jobs]
  const lives = async (): Promise<void> => {
    for (let job = queue.pop(); job !== undefined; job = queue.pop()) await live(job)
  }
  await Promise.all(Array.from({ length: 12 }, lives))
  expect(most).toBeLessThanOrEqual(200)

  // What is left is found silent, and run by those who live.
  for (let refs = await store.overdue(0, 1_000, later); refs.length > 0; refs = await store.overdue(0, 1_000, later)) {
    for (const ref of refs) {
      const started = await store.start(ref)
      if (started !== undefined) await store.commit(started.hold, { results, tally: both, halt: undefined }, keepMs)
    }
  }
  expect(await client.hgetall(makeJobKeys("multistatus").ofAll.counts)).toEqual({ q: "0" })
  const states = await Promise.all(jobs.map(({ id }) => store.find(id)))
  const found = states.filter((job) => job !== undefined)
  expect(found.length).toBeGreaterThan(50)
  expect(new Set(found.map(({ state }) => state))).toEqual(new Set(["succeeded", "cancelled"]))
  expect(await client.zcard(makeJobKeys("multistatus").ofAll.open)).toBe(0)
  client.disconnect()
})
