/** How jobs are handed in: whole, or chunk by chunk. */
import { describe, expect, it } from "vitest"
import type { JobAcceptance } from "../../jobs/Job.ts"
import { accepted, type Backend, chunksOf, lifeMs, newHash, refs, roomy, stage, start } from "./Fixture.ts"

/** Declares the cases. */
export const submitting = (backend: () => Backend): void => {
  describe("a job", () => {
    it("that is handed in is queued, with as many chunks due as its window is wide", async () => {
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

    it("with fewer chunks than its window is wide has all of them due", async () => {
      const { id, submit } = stage(backend().store, { chunks: chunksOf(1), extent: { window: 4 } })
      expect(await submit()).toEqual({ _tag: "accepted", due: refs(id, 0) })
    })

    it("that is handed in again is the same job", async () => {
      const { store } = backend()
      const { id, submit, record } = stage(store, { job: { key: newHash() } })
      const first = await submit()
      expect(await submit()).toEqual(first)
      expect(await record()).toMatchObject({ total: 6, chunks: 3 })
      expect(await store.queued()).toBe(6)
      expect((await store.results(id, { from: 0, limit: 9, onlyFailed: false })).chunks).toEqual([])
    })

    it("that is handed in again while it runs goes on as it was", async () => {
      const { store } = backend()
      const { submit, finish, begin, commit, record } = await accepted(store)
      await finish(0)
      const held = await begin(1)
      expect(await submit()).toMatchObject({ _tag: "accepted" })
      expect(await record()).toMatchObject({ state: "running", succeeded: 2 })
      expect(await commit(held)).toMatchObject({ _tag: "kept" })
      expect(await store.queued()).toBe(2)
    })

    it("is not found where there is none", async () => {
      const { store } = backend()
      const { id } = stage(store)
      expect(await store.find(id, start)).toBeUndefined()
      expect(await store.start({ job: id, chunk: 0 }, start)).toBeUndefined()
      expect((await store.results(id, { from: 0, limit: 9, onlyFailed: false })).chunks).toEqual([])
      expect(await store.cancel(id, 1, start)).toBeUndefined()
    })
  })

  describe("an upload", () => {
    it("becomes the job that handing it in whole makes", async () => {
      const { store, other = store } = backend()
      const whole = await accepted(store)
      const { id, job, chunks, extent, record, begin } = stage(store)
      await store.open(job, start)
      expect(await other.append(id, chunks.slice(0, 1), start)).toBe(true)
      expect(await store.append(id, chunks.slice(1), start)).toBe(true)
      expect(await other.close(id, extent, roomy, undefined, start)).toEqual({ _tag: "accepted", due: refs(id, 0, 1) })
      expect({ ...(await record()), id: whole.id }).toEqual(await whole.record())
      const [one, two] = [await begin(1), await whole.begin(1)]
      expect({ ...one, hold: two.hold, job: two.job }).toEqual(two)
      expect(await store.queued()).toBe(12)
    })

    it("is seen by nobody, counts for nothing, and nothing of it runs", async () => {
      const { store } = backend()
      const { id, job, chunks } = stage(store)
      await store.open(job, start)
      await store.append(id, chunks, start)
      expect(await store.find(id, start)).toBeUndefined()
      expect(await store.start({ job: id, chunk: 0 }, start)).toBeUndefined()
      expect(await store.cancel(id, 1, start)).toBeUndefined()
      expect((await store.results(id, { from: 0, limit: 9, onlyFailed: false })).chunks).toEqual([])
      expect(await store.queued()).toBe(0)
      expect(await store.overdue(1, 9, start + 1_000_000)).toEqual([])
    })

    it("takes no harm from steps that are repeated", async () => {
      const { store } = backend()
      const { id, job, chunks, extent, record, finish } = stage(store)
      await store.open(job, start)
      await store.open(job, start)
      for (const upTo of [1, 2, 3, 2, 3]) expect(await store.append(id, chunks.slice(0, upTo), start)).toBe(true)
      await store.open(job, start)
      const first = await store.close(id, extent, roomy, undefined, start)
      expect(first).toEqual({ _tag: "accepted", due: refs(id, 0, 1) })
      expect(await store.close(id, extent, roomy, undefined, start)).toEqual(first)
      await store.open(job, start)
      await store.discard(id)
      expect(await store.append(id, chunksOf(2, 2, 2, 2), start)).toBe(false)
      expect(await record()).toMatchObject({ state: "queued", total: 6, chunks: 3 })
      expect(await store.queued()).toBe(6)
      for (const chunk of [0, 1, 2]) await finish(chunk)
      expect(await record()).toMatchObject({ state: "succeeded", succeeded: 6 })
    })

    it("that was discarded is gone", async () => {
      const { store } = backend()
      const { id, job, chunks, extent } = stage(store)
      await store.open(job, start)
      await store.append(id, chunks, start)
      await store.discard(id)
      await store.discard(id)
      expect(await store.append(id, chunks, start)).toBe(false)
      expect(await store.close(id, extent, roomy, undefined, start)).toEqual({ _tag: "gone" })
      expect(await store.find(id, start)).toBeUndefined()
    })

    it("that nobody opened cannot be added to, or closed", async () => {
      const { store } = backend()
      const { id, chunks, extent } = stage(store)
      expect(await store.append(id, chunks, start)).toBe(false)
      expect(await store.close(id, extent, roomy, undefined, start)).toEqual({ _tag: "gone" })
    })
  })

  describe("a key", () => {
    const rival = (key: string, fingerprint: string) => ({ job: { key }, extent: { fingerprint } })

    it("names one job: a second one is not made", async () => {
      const { store } = backend()
      const key = newHash()
      const fingerprint = newHash()
      const first = await accepted(store, rival(key, fingerprint))
      const [same, unlike] = [stage(store, rival(key, fingerprint)), stage(store, rival(key, newHash()))]
      expect(await same.submit()).toEqual({ _tag: "exists", id: first.id, isSame: true })
      expect(await unlike.submit()).toEqual({ _tag: "exists", id: first.id, isSame: false })
      expect(await store.find(same.id, start)).toBeUndefined()
      expect(await store.queued()).toBe(6)
    })

    it("names its job when that has ended too", async () => {
      const { store } = backend()
      const key = newHash()
      const { id, finish } = await accepted(store, { job: { key }, chunks: chunksOf(1) })
      await finish(0)
      expect(await stage(store, { job: { key } }).submit()).toMatchObject({ _tag: "exists", id })
    })

    it("is not taken by an upload before it is closed, and whoever comes second is dropped", async () => {
      const { store } = backend()
      const key = newHash()
      const slow = stage(store, { job: { key } })
      await store.open(slow.job, start)
      await store.append(slow.id, slow.chunks, start)
      const quick = await accepted(store, { job: { key } })
      const closed = await store.close(slow.id, slow.extent, roomy, undefined, start)
      expect(closed).toEqual({ _tag: "exists", id: quick.id, isSame: true })
      expect(await store.append(slow.id, slow.chunks, start)).toBe(false)
      expect(await store.queued()).toBe(6)
    })

    it("is not kept by a job that was refused", async () => {
      const { store } = backend()
      const key = newHash()
      const limits = { queuedOperations: 5, jobsPerTenant: undefined }
      expect(await stage(store, { job: { key }, limits }).submit()).toMatchObject({ _tag: "full" })
      expect(await stage(store, { job: { key } }).submit()).toMatchObject({ _tag: "accepted" })
    })

    it("is taken by one, whoever wants it at once", async () => {
      const { store, other = store } = backend()
      const key = newHash()
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, index) => stage(index % 2 === 0 ? store : other, { job: { key } }).submit()),
      )
      const ids = answers.map(idOf)
      expect(answers.filter(({ _tag }) => _tag === "accepted")).toHaveLength(1)
      expect(answers.filter(({ _tag }) => _tag === "exists")).toHaveLength(29)
      expect(new Set(ids).size).toBe(1)
      expect(await store.queued()).toBe(6)
    })
  })
}

const idOf = (admission: JobAcceptance): string | undefined => {
  if (admission._tag === "exists") return admission.id
  return admission._tag === "accepted" ? admission.due[0]?.job : undefined
}
