/** Cases about submitting jobs, whole or as an upload, and about their keys. */
import { describe, expect, it } from "vitest"
import type { JobAcceptance } from "../../jobs/Job.ts"
import {
  accepted,
  allChunks,
  type Backend,
  chunksOf,
  lifeMs,
  newHash,
  noLimits,
  refs,
  stage,
  start,
} from "./Fixture.ts"

/** Declares the cases. */
export const submitting = (backend: () => Backend): void => {
  describe("submit", () => {
    it("queues a job, and returns the chunks in its window as due", async () => {
      const { store, other = store } = backend()
      const { id, submit } = stage(store, { job: { tenant: "t" }, chunks: chunksOf(3, 2, 1) })
      expect(await submit()).toEqual({ _tag: "accepted", due: refs(id, 0, 1) })
      expect(await other.find(id, start)).toEqual({
        id,
        tenant: "t",
        endpoint: "things",
        settings: `{"strategy":"partial"}`,
        state: "queued",
        total: 6,
        chunks: 3,
        isCancelled: false,
        succeeded: 0,
        failed: 0,
        skipped: 0,
        createdAt: start,
        updatedAt: expect.any(Number),
        expiresAt: start + lifeMs,
      })
    })

    it("returns all chunks as due if the window is larger than the job", async () => {
      const { id, submit } = stage(backend().store, { chunks: chunksOf(1), extent: { window: 4 } })
      expect(await submit()).toEqual({ _tag: "accepted", due: refs(id, 0) })
    })

    it("makes no second job if it is repeated", async () => {
      const { store } = backend()
      const { id, submit, record } = stage(store, { job: { key: newHash() } })
      const first = await submit()
      expect(await submit()).toEqual(first)
      expect(await record()).toMatchObject({ total: 6, chunks: 3 })
      expect(await store.queued()).toBe(6)
      expect((await store.results(id, allChunks)).chunks).toEqual([])
    })

    it("does not change a running job if it is repeated", async () => {
      const { store } = backend()
      const { submit, finish, begin, commit, record } = await accepted(store)
      await finish(0)
      const held = await begin(1)
      expect(await submit()).toMatchObject({ _tag: "accepted" })
      expect(await record()).toMatchObject({ state: "running", succeeded: 2 })
      expect(await commit(held)).toMatchObject({ _tag: "kept" })
      expect(await store.queued()).toBe(2)
    })
  })

  it("finds nothing of a job that does not exist", async () => {
    const { store } = backend()
    const { id } = stage(store)
    expect(await store.find(id, start)).toBeUndefined()
    expect(await store.start({ job: id, chunk: 0 }, start)).toBeUndefined()
    expect((await store.results(id, allChunks)).chunks).toEqual([])
    expect(await store.cancel(id, 1, start)).toBeUndefined()
  })

  describe("an upload", () => {
    it("makes the same job as `submit`", async () => {
      const { store, other = store } = backend()
      const whole = await accepted(store)
      const { id, job, chunks, extent, record, begin } = stage(store)
      await store.open(job, start)
      expect(await other.append(id, chunks.slice(0, 1), start)).toBe(true)
      expect(await store.append(id, chunks.slice(1), start)).toBe(true)
      const acceptance = await other.close(id, extent, noLimits, undefined, start)
      expect(acceptance).toEqual({ _tag: "accepted", due: refs(id, 0, 1) })
      expect({ ...(await record()), id: whole.id }).toEqual(await whole.record())
      const [uploaded, submitted] = [await begin(1), await whole.begin(1)]
      expect({ ...uploaded, hold: submitted.hold, job: submitted.job }).toEqual(submitted)
      expect(await store.queued()).toBe(12)
    })

    it("is invisible and does not run before it is closed", async () => {
      const { store } = backend()
      const { id, upload } = stage(store)
      await upload()
      expect(await store.find(id, start)).toBeUndefined()
      expect(await store.start({ job: id, chunk: 0 }, start)).toBeUndefined()
      expect(await store.cancel(id, 1, start)).toBeUndefined()
      expect((await store.results(id, allChunks)).chunks).toEqual([])
      expect(await store.queued()).toBe(0)
      expect(await store.overdue(1, 9, start + 1_000_000)).toEqual([])
    })

    it("tolerates repeated calls", async () => {
      const { store } = backend()
      const { id, job, chunks, extent, record, finish } = stage(store)
      await store.open(job, start)
      await store.open(job, start)
      for (const count of [1, 2, 3, 2, 3]) expect(await store.append(id, chunks.slice(0, count), start)).toBe(true)
      await store.open(job, start)
      const first = await store.close(id, extent, noLimits, undefined, start)
      expect(first).toEqual({ _tag: "accepted", due: refs(id, 0, 1) })
      expect(await store.close(id, extent, noLimits, undefined, start)).toEqual(first)
      await store.open(job, start)
      await store.discard(id)
      expect(await store.append(id, chunksOf(2, 2, 2, 2), start)).toBe(false)
      expect(await record()).toMatchObject({ state: "queued", total: 6, chunks: 3 })
      expect(await store.queued()).toBe(6)
      for (const chunk of [0, 1, 2]) await finish(chunk)
      expect(await record()).toMatchObject({ state: "succeeded", succeeded: 6 })
    })

    it("is gone after it was discarded", async () => {
      const { store } = backend()
      const { id, chunks, extent, upload } = stage(store)
      await upload()
      await store.discard(id)
      await store.discard(id)
      expect(await store.append(id, chunks, start)).toBe(false)
      expect(await store.close(id, extent, noLimits, undefined, start)).toEqual({ _tag: "gone" })
      expect(await store.find(id, start)).toBeUndefined()
    })

    it("cannot be continued or closed if it was not opened", async () => {
      const { store } = backend()
      const { id, chunks, extent } = stage(store)
      expect(await store.append(id, chunks, start)).toBe(false)
      expect(await store.close(id, extent, noLimits, undefined, start)).toEqual({ _tag: "gone" })
    })
  })

  describe("a key", () => {
    const withKey = (key: string, fingerprint: string) => ({ job: { key }, extent: { fingerprint } })

    it("prevents a second job, and tells whether it has the same fingerprint", async () => {
      const { store } = backend()
      const key = newHash()
      const fingerprint = newHash()
      const first = await accepted(store, withKey(key, fingerprint))
      const [same, different] = [stage(store, withKey(key, fingerprint)), stage(store, withKey(key, newHash()))]
      expect(await same.submit()).toEqual({ _tag: "exists", id: first.id, isSame: true })
      expect(await different.submit()).toEqual({ _tag: "exists", id: first.id, isSame: false })
      expect(await store.find(same.id, start)).toBeUndefined()
      expect(await store.queued()).toBe(6)
    })

    it("prevents a second job after the first has ended", async () => {
      const { store } = backend()
      const key = newHash()
      const { id, finish } = await accepted(store, { job: { key }, chunks: chunksOf(1) })
      await finish(0)
      expect(await stage(store, { job: { key } }).submit()).toMatchObject({ _tag: "exists", id })
    })

    it("belongs to the first of two uploads that is closed, and the other one is dropped", async () => {
      const { store } = backend()
      const key = newHash()
      const slow = stage(store, { job: { key } })
      await slow.upload()
      const fast = await accepted(store, { job: { key } })
      const closed = await store.close(slow.id, slow.extent, noLimits, undefined, start)
      expect(closed).toEqual({ _tag: "exists", id: fast.id, isSame: true })
      expect(await store.append(slow.id, slow.chunks, start)).toBe(false)
      expect(await store.queued()).toBe(6)
    })

    it("is free after its job was refused", async () => {
      const { store } = backend()
      const key = newHash()
      const limits = { queuedOperations: 5, jobsPerTenant: undefined }
      expect(await stage(store, { job: { key }, limits }).submit()).toMatchObject({ _tag: "full" })
      expect(await stage(store, { job: { key } }).submit()).toMatchObject({ _tag: "accepted" })
    })

    it("belongs to one of several jobs that are submitted concurrently", async () => {
      const { store, other = store } = backend()
      const key = newHash()
      const acceptances = await Promise.all(
        Array.from({ length: 30 }, (_, index) => stage(index % 2 === 0 ? store : other, { job: { key } }).submit()),
      )
      expect(acceptances.filter(({ _tag }) => _tag === "accepted")).toHaveLength(1)
      expect(acceptances.filter(({ _tag }) => _tag === "exists")).toHaveLength(29)
      expect(new Set(acceptances.map(idOf)).size).toBe(1)
      expect(await store.queued()).toBe(6)
    })
  })
}

const idOf = (acceptance: JobAcceptance): string | undefined => {
  if (acceptance._tag === "exists") return acceptance.id
  return acceptance._tag === "accepted" ? acceptance.due[0]?.job : undefined
}
