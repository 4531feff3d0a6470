import { JobStoreContract } from "@multistatus/core/testing"
import type { JobStore } from "@multistatus/core/store"
import { freshDatabase, startRedis } from "@multistatus/test-services"
import type { Cluster, Redis } from "ioredis"
import { describe, expect, inject, it, vi } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { makeJobKeys } from "../../src/jobs/JobKeys.ts"
import { redisClient, redisCluster } from "../../src/connection/redisClient.ts"
import { redisJobStore } from "../../src/jobs/redisJobStore.ts"
import { isCluster } from "../../src/scripts/RedisScript.ts"
import { hashOf } from "../support/items.ts"

const { both, extentOf, keepMs, newChunks, newJob, noLimits, results } = JobStoreContract

const connections = {
  Redis: async () => redisClient(await freshDatabase(inject("redisUrl"))),
  "Redis Cluster": async () => redisCluster([inject("redisClusterUrl")]),
}

const connected = async <Client extends Redis | Cluster>(client: Client) => {
  client.on("error", () => {})
  await checkRedis(client, { warn: () => {} })
  return { client, [Symbol.asyncDispose]: async () => client.disconnect() }
}

const submit = (store: JobStore, job = newJob(), chunks = newChunks(2), limits = noLimits) =>
  store.submit(job, extentOf(chunks), chunks, limits)

/** Runs every chunk of a job to its end. */
const runAll = async (store: JobStore, job: string, count: number): Promise<void> => {
  for (let chunk = 0; chunk < count; chunk++) {
    const { hold } = (await store.start({ job, chunk }))!
    await store.commit(hold, { results, tally: both, halt: undefined }, keepMs)
  }
}

let unique = 0

describe.each(Object.entries(connections))("a job store on %s", (name, connect) => {
  const open = async () => {
    const connection = await connected<Redis | Cluster>(await connect())
    const prefix = `${name} ${unique++}`
    return { ...connection, prefix, store: redisJobStore(connection.client, { prefix }), keys: makeJobKeys(prefix) }
  }

  it("never has more operations waiting than it may, whoever hands in jobs at once", async () => {
    await using one = await open()
    const { client } = one
    const other = await connected<Redis | Cluster>(isCluster(client) ? client.duplicate() : client.duplicate())
    const stores = [one.store, redisJobStore(other.client, { prefix: one.prefix })]
    const limits = { queuedOperations: 42, jobsPerTenant: undefined }
    const admissions = await Promise.all(
      Array.from({ length: 100 }, (_, index) => submit(stores[index % 2]!, newJob(), newChunks(2), limits)),
    )
    expect(admissions.filter(({ _tag }) => _tag === "accepted")).toHaveLength(10)
    expect(admissions.filter(({ _tag }) => _tag === "full")).toHaveLength(90)
    expect(await one.store.queued()).toBe(40)
    const [first] = admissions.filter((admission) => admission._tag === "accepted")
    await runAll(one.store, first!.due[0]!.job, 2)
    expect(await one.store.queued()).toBe(36)
    expect(await submit(one.store, newJob(), newChunks(3), limits)).toMatchObject({ _tag: "accepted" })
    await other[Symbol.asyncDispose]()
  })

  it("never has more jobs of a tenant than it may, and leaves nothing of those it refused", async () => {
    await using held = await open()
    const limits = { queuedOperations: 1_000, jobsPerTenant: 3 }
    const jobs = Array.from({ length: 50 }, () => newJob({ tenant: "t" }))
    const admissions = await Promise.all(jobs.map((job) => submit(held.store, job, newChunks(1), limits)))
    expect(admissions.filter(({ _tag }) => _tag === "accepted")).toHaveLength(3)
    for (const [index, job] of jobs.entries()) {
      const left = await Promise.all(held.keys.ofJob(job.id).map((key) => held.client.exists(key)))
      expect(left.some((exists) => exists === 1)).toBe(admissions[index]!._tag === "accepted")
    }
  })

  it("makes one job of a key, whoever hands it in at once", async () => {
    await using held = await open()
    const key = hashOf("key")
    const admissions = await Promise.all(
      Array.from({ length: 20 }, () => submit(held.store, newJob({ key }), newChunks(1))),
    )
    const accepted = admissions.filter((admission) => admission._tag === "accepted")
    expect(accepted).toHaveLength(1)
    const others = admissions.filter((admission) => admission._tag === "exists")
    expect(others).toHaveLength(19)
    for (const other of others) expect(other).toEqual({ _tag: "exists", id: accepted[0]!.due[0]!.job, isSame: true })
  })

  it("takes back what a job counts whose maker died before it was accepted", async () => {
    await using held = await open()
    const { store, client, keys } = held
    const job = newJob({ tenant: "t", key: hashOf("orphan") })
    await store.open(job)
    await store.append(job.id, newChunks(2))
    // What comes after it was admitted is lost.
    const [head = ""] = keys.ofJob(job.id)
    const saved = await client.hgetall(head)
    await store.close(job.id, extentOf(newChunks(2)), noLimits)
    await client.del(head)
    await client.hset(head, saved)
    expect(await store.queued()).toBe(4)
    expect(await store.overdue(1_000, 10, Date.now() + 10_000)).toEqual([])
    expect(await store.queued()).toBe(4)
    expect(await store.overdue(1_000, 10, Date.now() + 60_000)).toEqual([])
    expect(await store.queued()).toBe(0)
    expect(await store.find(job.id)).toBeUndefined()
    expect(await store.close(job.id, extentOf(newChunks(2)), noLimits)).toEqual({ _tag: "gone" })
    expect(await submit(store, { ...job, id: newJob().id })).toMatchObject({ _tag: "accepted" })
    expect(await client.hgetall(keys.ofAll.counts)).toEqual({ q: "4", tt: "1" })
  })

  it("makes way for a job whose key is held by one that was never accepted", { timeout: 20_000 }, async () => {
    await using held = await open()
    const { store, client, keys } = held
    const key = hashOf("held")
    const orphan = newJob({ key })
    await store.open(orphan)
    await store.append(orphan.id, newChunks(1))
    const [head = ""] = keys.ofJob(orphan.id)
    const saved = await client.hgetall(head)
    await store.close(orphan.id, extentOf(newChunks(1)), noLimits)
    await client.del(head)
    await client.hset(head, saved)
    const job = newJob({ key })
    expect(await submit(store, job)).toMatchObject({ _tag: "accepted" })
    expect(await store.queued()).toBe(4)
    expect(await store.find(orphan.id)).toBeUndefined()
  })

  it("takes back what a job counts whose last worker died before it said so", async () => {
    await using held = await open()
    const { store, client, keys } = held
    const job = newJob({ tenant: "t" })
    await submit(store, job)
    const before = await Promise.all([
      client.hgetall(keys.ofAll.counts),
      client.hgetall(keys.ofAll.jobs),
      client.zscore(keys.ofAll.open, job.id),
    ])
    await runAll(store, job.id, 2)
    expect(await store.queued()).toBe(0)
    await client.hset(keys.ofAll.counts, before[0])
    await client.hset(keys.ofAll.jobs, before[1])
    await client.zadd(keys.ofAll.open, Number(before[2]), job.id)
    expect(await store.queued()).toBe(4)
    expect(await store.overdue(0, 10, Date.now() + 1_000)).toEqual([])
    expect(await client.hgetall(keys.ofAll.counts)).toEqual({ q: "0" })
    expect(await store.find(job.id)).toMatchObject({ state: "succeeded" })
  })

  it("leaves nothing behind once everything is over, and lets every key expire by itself before", async () => {
    await using held = await open()
    const { store, client, keys } = held
    const ids: Array<string> = []
    for (let index = 0; index < 3; index++) {
      const job = newJob({ tenant: "t", key: hashOf(`over ${index}`) })
      ids.push(job.id)
      await submit(store, job)
      const { hold } = (await store.start({ job: job.id, chunk: 0 }))!
      await store.checkpoint(hold, { at: 0, results: "{}", tally: { succeeded: 1, failed: 0, skipped: 0 } })
      for (const name of keys.ofChunk(job.id, 0)) {
        const ttl = await client.pttl(name)
        expect(ttl === -2 || ttl > 1_000).toBe(true)
      }
    }
    await runAll(store, ids[0]!, 2)
    await store.cancel(ids[1]!, keepMs)
    const later = Date.now() + 8 * 86_400_000
    expect(await store.sweep(10, 1_000, later)).toBe(3)
    expect(await store.sweep(10, 1_000, later)).toBe(0)
    expect(await store.find(ids[2]!, later)).toEqual({ state: "forgotten", id: ids[2], tenant: "t" })
    expect(await store.sweep(10, 1_000, later + 1_000)).toBe(3)
    for (const id of ids) {
      for (const name of keys.ofChunk(id, 0)) expect(await client.exists(name)).toBe(0)
    }
    for (const name of Object.values(keys.ofAll).filter((name) => name !== keys.ofAll.counts)) {
      expect(await client.exists(name)).toBe(0)
    }
    expect(await client.hgetall(keys.ofAll.counts)).toEqual({ q: "0" })
  })

  it("ends a chunk that was postponed and then cancelled, though its job was halted before", async () => {
    await using held = await open()
    const { store } = held
    const job = newJob()
    await submit(store, job, newChunks(5))
    const [first, second, third] = await Promise.all([0, 1, 2].map((chunk) => store.start({ job: job.id, chunk })))
    await store.commit(first!.hold, { results, tally: both, halt: "SKIPPED" }, keepMs)
    expect(await store.postpone(second!.hold, 0)).toEqual({ job: job.id, chunk: 1, dispatch: 1 })
    expect(await store.cancel(job.id, keepMs)).toEqual([{ job: job.id, chunk: 1, dispatch: 1 }])
    expect(await store.start({ job: job.id, chunk: 1 })).toBeUndefined()
    const outcome = { results, tally: both, halt: undefined }
    expect(await store.commit(third!.hold, outcome, keepMs)).toMatchObject({ hasEnded: true, due: [] })
    const { chunks } = await store.results(job.id, { from: 0, limit: 9, onlyFailed: true })
    expect(chunks.map(({ index, code }) => [index, code])).toEqual([
      [1, "CANCELLED"],
      [3, "SKIPPED"],
      [4, "SKIPPED"],
    ])
    expect(await store.find(job.id)).toMatchObject({ state: "cancelled", succeeded: 4, skipped: 6 })
    expect(await store.queued()).toBe(0)
  })

  it("answers results in pieces that Redis gives without keeping others waiting", async () => {
    await using held = await open()
    const { store } = held
    const job = newJob()
    await submit(store, job, newChunks(5))
    const large = `"${"x".repeat(400_000)}"\n{}`
    for (let chunk = 0; chunk < 5; chunk++) {
      const { hold } = (await store.start({ job: job.id, chunk }))!
      await store.commit(hold, { results: large, tally: both, halt: undefined }, keepMs)
    }
    const seen: Array<number> = []
    for (let from = 0, isLast = false; !isLast;) {
      const found = await store.results(job.id, { from, limit: 100, onlyFailed: false })
      expect(found.chunks.length).toBeLessThanOrEqual(3)
      seen.push(...found.chunks.map(({ index }) => index))
      ;({ next: from, isLast } = found)
    }
    expect(seen).toEqual([0, 1, 2, 3, 4])
  })
})

describe("a job store whose Redis fails", () => {
  it("sends its scripts again after SCRIPT FLUSH", async () => {
    await using server = await startRedis()
    await using connection = await connected(redisClient(server.url))
    const { client } = connection
    const store = redisJobStore(client)
    const flushed = async <Answer>(call: () => Promise<Answer>): Promise<Answer> => {
      await client.script("FLUSH")
      return call()
    }
    const job = newJob()
    const chunks = newChunks(60)
    await flushed(() => store.open(job))
    expect(await flushed(() => store.append(job.id, chunks))).toBe(true)
    const admission = await flushed(() => store.close(job.id, extentOf(chunks), noLimits))
    expect(admission).toMatchObject({ _tag: "accepted" })
    const { hold } = (await flushed(() => store.start({ job: job.id, chunk: 0 })))!
    const part = { at: 0, results: "{}", tally: { succeeded: 1, failed: 0, skipped: 0 } }
    expect(await flushed(() => store.checkpoint(hold, part))).toBe(true)
    expect(await flushed(() => store.postpone(hold, 10))).toMatchObject({ dispatch: 1 })
    const again = (await flushed(() => store.start({ job: job.id, chunk: 0 })))!
    const outcome = { results, tally: both, halt: undefined }
    expect(await flushed(() => store.commit(again.hold, outcome, keepMs))).toMatchObject({ _tag: "kept" })
    expect(await flushed(() => store.find(job.id))).toMatchObject({ succeeded: 2 })
    expect(await flushed(() => store.overdue(0, 2, Date.now() + 1_000))).toHaveLength(2)
    expect(await flushed(() => store.cancel(job.id, keepMs))).toHaveLength(4)
    expect(await flushed(() => store.cancelled([job.id]))).toEqual([job.id])
    expect((await flushed(() => store.results(job.id, { from: 0, limit: 5, onlyFailed: false }))).next).toBe(5)
    expect(await flushed(() => store.sweep(5, 1_000, Date.now() + 2 * keepMs))).toBe(1)
    expect(await flushed(() => submit(store))).toMatchObject({ _tag: "accepted" })
  })

  it("goes on with a job when Redis was killed in the middle of it", async () => {
    await using server = await startRedis({ durable: true })
    await using connection = await connected(redisClient(server.url))
    const store = redisJobStore(connection.client)
    const job = newJob()
    await submit(store, job, newChunks(6))
    await runAll(store, job.id, 2)
    const { hold } = (await store.start({ job: job.id, chunk: 2 }))!
    const part = { at: 0, results: '{"n":4}', tally: { succeeded: 1, failed: 0, skipped: 0 } }
    await store.checkpoint(hold, part)
    await server.kill()
    await expect(store.find(job.id)).rejects.toThrow()
    await server.restart()
    await vi.waitFor(() => store.find(job.id), 10_000)
    expect(await store.find(job.id)).toMatchObject({ state: "running", succeeded: 4 })
    expect(await store.checkpoint(hold, { ...part, at: 1 })).toBe(true)
    const again = (await store.start({ job: job.id, chunk: 2 }))!
    expect(again.parts).toHaveLength(2)
    const outcome = { results, tally: both, halt: undefined }
    expect(await store.commit(again.hold, outcome, keepMs)).toMatchObject({ _tag: "kept", hasEnded: false })
    for (const chunk of [3, 4, 5]) {
      const started = (await store.start({ job: job.id, chunk }))!
      await store.commit(started.hold, outcome, keepMs)
    }
    expect(await store.find(job.id)).toMatchObject({ state: "succeeded", succeeded: 12 })
    expect(await store.queued()).toBe(0)
  })

  it("keeps nothing of a job that Redis has no room for", async () => {
    await using server = await startRedis()
    await using connection = await connected(redisClient(server.url))
    const { client } = connection
    const store = redisJobStore(client)
    await submit(store)
    await client.config("SET", "maxmemory", "1")
    await expect(submit(store)).rejects.toThrow("OOM")
    await client.config("SET", "maxmemory", "0")
    expect(await store.queued()).toBe(4)
  })
})
