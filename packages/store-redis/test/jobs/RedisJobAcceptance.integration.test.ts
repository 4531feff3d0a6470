import { JobStoreContract } from "@multistatus/core/testing"
import { describe, expect, it } from "vitest"
import { redisJobStore } from "../../src/jobs/redisJobStore.ts"
import { isCluster } from "../../src/scripts/RedisScript.ts"
import { hashOf } from "../support/items.ts"
import { disposable, openJobStore, runChunks, servers, submit } from "../support/jobStores.ts"

const { extentOf, newChunks, newJob, noLimits } = JobStoreContract

describe.each(Object.entries(servers))("the acceptance of jobs on %s", (_, connect) => {
  const open = () => openJobStore(connect)

  it("does not exceed the limit of operations when clients submit concurrently", async () => {
    await using one = await open()
    await using other = await disposable(isCluster(one.client) ? one.client.duplicate() : one.client.duplicate())
    const stores = [one.store, redisJobStore(other.client, { prefix: one.prefix })]
    const limits = { queuedOperations: 42, jobsPerTenant: undefined }
    const acceptances = await Promise.all(
      Array.from({ length: 100 }, (_, index) => submit(stores[index % 2]!, newJob(), newChunks(2), limits)),
    )
    const accepted = acceptances.filter((acceptance) => acceptance._tag === "accepted")
    expect(accepted).toHaveLength(10)
    expect(acceptances.filter(({ _tag }) => _tag === "full")).toHaveLength(90)
    expect(await one.store.queued()).toBe(40)
    await runChunks(one.store, accepted[0]!.due[0]!.job, 2)
    expect(await one.store.queued()).toBe(36)
    expect(await submit(one.store, newJob(), newChunks(3), limits)).toMatchObject({ _tag: "accepted" })
  })

  it("does not exceed the limit of jobs of a tenant, and leaves no keys of refused jobs", async () => {
    await using opened = await open()
    const limits = { queuedOperations: 1_000, jobsPerTenant: 3 }
    const jobs = Array.from({ length: 50 }, () => newJob({ tenant: "t" }))
    const acceptances = await Promise.all(jobs.map((job) => submit(opened.store, job, newChunks(1), limits)))
    expect(acceptances.filter(({ _tag }) => _tag === "accepted")).toHaveLength(3)
    for (const [index, job] of jobs.entries()) {
      const exist = await Promise.all(opened.keys.ofJob(job.id).map((key) => opened.client.exists(key)))
      expect(exist.includes(1)).toBe(acceptances[index]!._tag === "accepted")
    }
  })

  it("makes one job of a key when clients submit concurrently", async () => {
    await using opened = await open()
    const key = hashOf("key")
    const acceptances = await Promise.all(
      Array.from({ length: 20 }, () => submit(opened.store, newJob({ key }), newChunks(1))),
    )
    const accepted = acceptances.filter((acceptance) => acceptance._tag === "accepted")
    expect(accepted).toHaveLength(1)
    const existing = acceptances.filter((acceptance) => acceptance._tag === "exists")
    expect(existing).toHaveLength(19)
    for (const each of existing) expect(each).toEqual({ _tag: "exists", id: accepted[0]!.due[0]!.job, isSame: true })
  })

  /** Uploads a job, and undoes what `close` does after the job was reserved, as if the process had died there. */
  const reserveOnly = async (
    { store, client, keys }: Awaited<ReturnType<typeof open>>,
    job: ReturnType<typeof newJob>,
    chunks = newChunks(2),
  ) => {
    await store.open(job)
    await store.append(job.id, chunks)
    const [head = ""] = keys.ofJob(job.id)
    const saved = await client.hgetall(head)
    await store.close(job.id, extentOf(chunks), noLimits)
    await client.del(head)
    await client.hset(head, saved)
  }

  it("no longer counts a job whose process died before it was accepted", async () => {
    await using opened = await open()
    const { store, client, keys } = opened
    const job = newJob({ tenant: "t", key: hashOf("orphan") })
    await reserveOnly(opened, job)
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

  it("accepts a job whose key was reserved by a process that died", { timeout: 20_000 }, async () => {
    await using opened = await open()
    const { store } = opened
    const key = hashOf("held")
    const orphan = newJob({ key })
    await reserveOnly(opened, orphan, newChunks(1))
    expect(await submit(store, newJob({ key }))).toMatchObject({ _tag: "accepted" })
    expect(await store.queued()).toBe(4)
    expect(await store.find(orphan.id)).toBeUndefined()
  })

  it("no longer counts a job whose last worker died before it updated the counts", async () => {
    await using opened = await open()
    const { store, client, keys } = opened
    const job = newJob({ tenant: "t" })
    await submit(store, job)
    const [counts, jobs, time] = await Promise.all([
      client.hgetall(keys.ofAll.counts),
      client.hgetall(keys.ofAll.jobs),
      client.zscore(keys.ofAll.open, job.id),
    ])
    await runChunks(store, job.id, 2)
    expect(await store.queued()).toBe(0)
    await client.hset(keys.ofAll.counts, counts)
    await client.hset(keys.ofAll.jobs, jobs)
    await client.zadd(keys.ofAll.open, Number(time), job.id)
    expect(await store.queued()).toBe(4)
    expect(await store.overdue(0, 10, Date.now() + 1_000)).toEqual([])
    expect(await client.hgetall(keys.ofAll.counts)).toEqual({ q: "0" })
    expect(await store.find(job.id)).toMatchObject({ state: "succeeded" })
  })
})
