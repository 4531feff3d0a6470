import { freshDatabase, startRedis } from "@multistatus/test-services"
import type { Cluster, Redis } from "ioredis"
import { describe, expect, inject, it } from "vitest"
import { checkRedis } from "../src/checkRedis.ts"
import { makeJobKeys } from "../src/JobKeys.ts"
import { redisClient, redisCluster } from "../src/redisClient.ts"
import { redisJobStore } from "../src/redisJobStore.ts"
import { hashOf } from "./support/items.ts"
import { both, extentOf, keepMs, newChunks, newJob, noLimits, results } from "./support/jobs.ts"

const connections = {
  Redis: async () => redisClient(await freshDatabase(inject("redisUrl"))),
  "Redis Cluster": async () => redisCluster([inject("redisClusterUrl")]),
}

const connected = async <Client extends Redis | Cluster>(client: Client) => {
  await checkRedis(client)
  return { client, [Symbol.asyncDispose]: async () => client.disconnect() }
}

describe.each(Object.entries(connections))("a job store on %s", (name, connect) => {
  it("runs a job from its submission to its end", async () => {
    await using connection = await connected<Redis | Cluster>(await connect())
    const store = redisJobStore(connection.client, { prefix: `run ${name}` })
    const job = newJob({ tenant: "a {tenant}" })
    const chunks = newChunks(6)
    const admission = await store.submit(job, extentOf(chunks), chunks, noLimits)
    expect(admission).toEqual({
      _tag: "accepted",
      due: [0, 1, 2, 3].map((chunk) => ({ job: job.id, chunk, dispatch: 0 })),
    })
    expect(await store.queued()).toBe(12)
    for (const { index, payload } of chunks) {
      const started = await store.start({ job: job.id, chunk: index })
      expect(started).toMatchObject({ index, payload, starts: 1, parts: [], job: { tenant: "a {tenant}" } })
      const part = { at: 0, results: '{"é":1}', tally: { succeeded: 1, failed: 0, skipped: 0 } }
      expect(await store.checkpoint(started!.hold, part)).toBe(true)
      const again = await store.start({ job: job.id, chunk: index })
      expect(again).toMatchObject({ starts: 2, parts: [part] })
      expect(await store.checkpoint(started!.hold, part)).toBe(false)
      const outcome = { results, tally: both, halt: undefined }
      expect(await store.commit(started!.hold, outcome, keepMs)).toEqual({ _tag: "refused" })
      expect(await store.commit(again!.hold, outcome, keepMs)).toEqual({
        _tag: "kept",
        due: index < 2 ? [{ job: job.id, chunk: index + 4, dispatch: 0 }] : [],
        hasEnded: index === 5,
      })
    }
    expect(await store.queued()).toBe(0)
    expect(await store.find(job.id)).toMatchObject({ state: "succeeded", succeeded: 12, total: 12 })
    const found = await store.results(job.id, { from: 1, limit: 3, onlyFailed: false })
    expect(found).toMatchObject({ next: 4, isLast: false })
    expect(found.chunks.map(({ index }) => index)).toEqual([1, 2, 3])
  })
})
