import { JobStoreContract } from "@multistatus/core/testing"
import { startRedis } from "@multistatus/test-services"
import { describe, expect, it, vi } from "vitest"
import { redisClient } from "../../src/connection/redisClient.ts"
import { redisJobStore } from "../../src/jobs/redisJobStore.ts"
import { hashOf } from "../support/items.ts"
import { disposable, openJobStore, runChunks, servers, submit } from "../support/jobStores.ts"

const { bothSucceeded, extentOf, keepMs, newChunks, newJob, noLimits } = JobStoreContract

const part = { at: 0, results: "{}", outcomes: "s" }

describe.each(Object.entries(servers))("a job store on %s", (_, connect) => {
  const open = () => openJobStore(connect)

  it("leaves no keys after all jobs have expired, and sets a time to live on every key", async () => {
    await using opened = await open()
    const { store, client, keys } = opened
    const ids: Array<string> = []
    for (let index = 0; index < 3; index++) {
      const job = newJob({ tenant: "t", key: hashOf(`expired ${index}`) })
      ids.push(job.id)
      await submit(store, job)
      const { hold } = (await store.start({ job: job.id, chunk: 0 }))!
      await store.checkpoint(hold, part)
      for (const name of keys.ofChunk(job.id, 0)) {
        const ttl = await client.pttl(name)
        // -2: there is no such key.
        expect(ttl === -2 || ttl > 1_000).toBe(true)
      }
    }
    await runChunks(store, ids[0]!, 2)
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

  it("ends a postponed chunk when a job is cancelled that was halted before", async () => {
    await using opened = await open()
    const { store } = opened
    const job = newJob()
    await submit(store, job, newChunks(5))
    const [first, second, third] = await Promise.all([0, 1, 2].map((chunk) => store.start({ job: job.id, chunk })))
    await store.commit(first!.hold, { ...bothSucceeded, halt: "SKIPPED" }, keepMs)
    expect(await store.postpone(second!.hold, 0)).toEqual({ job: job.id, chunk: 1, dispatch: 1 })
    expect(await store.cancel(job.id, keepMs)).toEqual([{ job: job.id, chunk: 1, dispatch: 1 }])
    expect(await store.start({ job: job.id, chunk: 1 })).toBeUndefined()
    expect(await store.commit(third!.hold, bothSucceeded, keepMs)).toMatchObject({ hasEnded: true, due: [] })
    const { chunks } = await store.results(job.id, { from: 0, limit: 9, onlyFailed: true })
    expect(chunks.map(({ index, code }) => ({ index, code }))).toEqual([
      { index: 1, code: "CANCELLED" },
      { index: 3, code: "SKIPPED" },
      { index: 4, code: "SKIPPED" },
    ])
    expect(await store.find(job.id)).toMatchObject({ state: "cancelled", succeeded: 4, skipped: 6 })
    expect(await store.queued()).toBe(0)
  })

  it("returns large results in several pages, so that Redis is not blocked", async () => {
    await using opened = await open()
    const { store } = opened
    const job = newJob()
    await submit(store, job, newChunks(5))
    const results = `"${"x".repeat(400_000)}"\n{}`
    for (let chunk = 0; chunk < 5; chunk++) {
      const { hold } = (await store.start({ job: job.id, chunk }))!
      await store.commit(hold, { ...bothSucceeded, results }, keepMs)
    }
    const indexes: Array<number> = []
    for (let from = 0, isLast = false; !isLast;) {
      const found = await store.results(job.id, { from, limit: 100, onlyFailed: false })
      expect(found.chunks.length).toBeLessThanOrEqual(3)
      indexes.push(...found.chunks.map(({ index }) => index))
      ;({ next: from, isLast } = found)
    }
    expect(indexes).toEqual([0, 1, 2, 3, 4])
  })
})

describe("a job store whose Redis fails", () => {
  it("loads its scripts again after SCRIPT FLUSH", async () => {
    await using server = await startRedis()
    await using connection = await disposable(redisClient(server.url))
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
    const acceptance = await flushed(() => store.close(job.id, extentOf(chunks), noLimits))
    expect(acceptance).toMatchObject({ _tag: "accepted" })
    const { hold } = (await flushed(() => store.start({ job: job.id, chunk: 0 })))!
    expect(await flushed(() => store.checkpoint(hold, part))).toBe(true)
    expect(await flushed(() => store.postpone(hold, 10))).toMatchObject({ dispatch: 1 })
    const again = (await flushed(() => store.start({ job: job.id, chunk: 0 })))!
    expect(await flushed(() => store.commit(again.hold, bothSucceeded, keepMs))).toMatchObject({ _tag: "kept" })
    expect(await flushed(() => store.find(job.id))).toMatchObject({ succeeded: 2 })
    expect(await flushed(() => store.overdue(0, 2, Date.now() + 1_000))).toHaveLength(2)
    expect(await flushed(() => store.cancel(job.id, keepMs))).toHaveLength(4)
    expect(await flushed(() => store.cancelled([job.id]))).toEqual([job.id])
    expect((await flushed(() => store.results(job.id, { from: 0, limit: 5, onlyFailed: false }))).next).toBe(5)
    expect(await flushed(() => store.sweep(5, 1_000, Date.now() + 2 * keepMs))).toBe(1)
    expect(await flushed(() => submit(store))).toMatchObject({ _tag: "accepted" })
  })

  it("continues a job after Redis was killed", async () => {
    await using server = await startRedis({ durable: true })
    await using connection = await disposable(redisClient(server.url))
    const store = redisJobStore(connection.client)
    const job = newJob()
    await submit(store, job, newChunks(6))
    await runChunks(store, job.id, 2)
    const { hold } = (await store.start({ job: job.id, chunk: 2 }))!
    await store.checkpoint(hold, part)
    await server.kill()
    await expect(store.find(job.id)).rejects.toThrow()
    await server.restart()
    await vi.waitFor(() => store.find(job.id), 10_000)
    expect(await store.find(job.id)).toMatchObject({ state: "running", succeeded: 4 })
    expect(await store.checkpoint(hold, { ...part, at: 1 })).toBe(true)
    const again = (await store.start({ job: job.id, chunk: 2 }))!
    expect(again.parts).toHaveLength(2)
    expect(await store.commit(again.hold, bothSucceeded, keepMs)).toMatchObject({ _tag: "kept", hasEnded: false })
    for (const chunk of [3, 4, 5]) {
      const started = (await store.start({ job: job.id, chunk }))!
      await store.commit(started.hold, bothSucceeded, keepMs)
    }
    expect(await store.find(job.id)).toMatchObject({ state: "succeeded", succeeded: 12 })
    expect(await store.queued()).toBe(0)
  })

  it("keeps nothing of a job for which Redis has no memory", async () => {
    await using server = await startRedis()
    await using connection = await disposable(redisClient(server.url))
    const { client } = connection
    const store = redisJobStore(client)
    await submit(store)
    await client.config("SET", "maxmemory", "1")
    await expect(submit(store)).rejects.toThrow("OOM")
    await client.config("SET", "maxmemory", "0")
    expect(await store.queued()).toBe(4)
  })
})
