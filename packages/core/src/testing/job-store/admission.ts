/** How much may be waiting, and when it makes room. */
import { describe, expect, it } from "vitest"
import { accepted, type Backend, chunksOf, keepMs, stage, start, tallyOf } from "./Fixture.ts"

/** Declares the cases. */
export const admission = (backend: () => Backend): void => {
  describe("room", () => {
    const within = (queuedOperations: number, jobsPerTenant?: number) => ({ queuedOperations, jobsPerTenant })

    it("is refused beyond the limit, and nothing is kept of what was refused", async () => {
      const { store } = backend()
      await accepted(store, { limits: within(10) })
      const refused = stage(store, { limits: within(10) })
      expect(await refused.submit()).toEqual({ _tag: "full", queued: 6 })
      expect(await store.find(refused.id, start)).toBeUndefined()
      expect(await store.queued()).toBe(6)
      expect(await stage(store, { chunks: chunksOf(4), limits: within(10) }).submit()).toMatchObject({
        _tag: "accepted",
      })
    })

    it("is refused to an upload when it is closed, which drops it", async () => {
      const { store } = backend()
      const { id, job, chunks, extent } = stage(store)
      await store.open(job, start)
      await store.append(id, chunks, start)
      expect(await store.close(id, extent, within(5), undefined, start)).toEqual({ _tag: "full", queued: 0 })
      expect(await store.append(id, chunks, start)).toBe(false)
      expect(await store.find(id, start)).toBeUndefined()
      expect(await store.queued()).toBe(0)
    })

    it("is made by every chunk that ends", async () => {
      const { store } = backend()
      const { begin, commit, finish } = await accepted(store, { chunks: chunksOf(3, 2, 1) })
      const held = await begin(0)
      expect(await store.queued()).toBe(6)
      await commit(held)
      expect(await store.queued()).toBe(3)
      await commit(held)
      expect(await store.queued()).toBe(3)
      await finish(1, { tally: tallyOf(0, 1, 1) })
      await finish(2)
      expect(await store.queued()).toBe(0)
    })

    it("is made by chunks that were halted, and by jobs that were cancelled, at once", async () => {
      const { store } = backend()
      const halted = await accepted(store)
      await halted.finish(0, { tally: tallyOf(0, 2), halt: "SKIPPED" })
      expect(await store.queued()).toBe(0)
      const cancelled = await accepted(store)
      await cancelled.begin(0)
      await store.cancel(cancelled.id, keepMs, start)
      expect(await store.queued()).toBe(2)
    })

    it("of one tenant is no room of another", async () => {
      const { store } = backend()
      const limits = within(1_000, 2)
      const of = (tenant: string | undefined) => stage(store, { job: { tenant }, limits, chunks: chunksOf(1) })
      const first = of("a")
      await first.submit()
      await of("a").submit()
      const refused = of("a")
      expect(await refused.submit()).toEqual({ _tag: "tenant-full" })
      expect(await store.find(refused.id, start)).toBeUndefined()
      expect(await of("b").submit()).toMatchObject({ _tag: "accepted" })
      expect(await store.queued()).toBe(3)
      await first.finish(0)
      expect(await of("a").submit()).toMatchObject({ _tag: "accepted" })
      expect(await of("a").submit()).toEqual({ _tag: "tenant-full" })
    })

    it("of a tenant is made when its job is cancelled, and when it is given up", async () => {
      const { store } = backend()
      const of = (now: number) => stage(store, { job: { tenant: "a", lifeMs: 1_000 }, limits: within(1_000, 1), now })
      const first = of(start)
      await first.submit()
      await store.cancel(first.id, keepMs, start)
      expect(await of(start).submit()).toMatchObject({ _tag: "accepted" })
      expect(await of(start).submit()).toEqual({ _tag: "tenant-full" })
      await store.sweep(100, 1_000, start + 1_000)
      expect(await of(start + 1_000).submit()).toMatchObject({ _tag: "accepted" })
      expect(await store.queued()).toBe(6)
    })

    it("is never more than the limit, however many hand in at once", { timeout: 60_000 }, async () => {
      const { store, other = store } = backend()
      const jobs = Array.from({ length: 100 }, (_, index) =>
        stage(index % 2 === 0 ? store : other, {
          job: { tenant: `t${index % 4}` },
          chunks: chunksOf(2, 3),
          limits: within(52, 3),
        }),
      )
      const answers = await Promise.all(jobs.map(({ submit }) => submit()))
      const tagged = (tag: string) => answers.filter(({ _tag }) => _tag === tag).length
      expect(tagged("accepted")).toBe(10)
      expect(tagged("full") + tagged("tenant-full")).toBe(90)
      expect(await store.queued()).toBe(50)
      const records = await Promise.all(jobs.map(({ id }) => store.find(id, start)))
      const tenants = records.flatMap((record) => (record === undefined ? [] : [record.tenant]))
      expect(tenants).toHaveLength(10)
      for (const tenant of new Set(tenants)) {
        expect(tenants.filter((each) => each === tenant).length).toBeLessThanOrEqual(3)
      }
    })

    it("is counted exactly, however many chunks end at once", { timeout: 60_000 }, async () => {
      const { store, other = store } = backend()
      const sizes = Array.from({ length: 20 }, (_, index) => 1 + (index % 3))
      const { begin, chunks, extent, record } = await accepted(store, {
        chunks: chunksOf(...sizes),
        extent: { window: 20 },
      })
      const held = await Promise.all(sizes.map((_, index) => begin(index)))
      const commits = await Promise.all(
        held.map(({ hold, operations }, index) => {
          const outcome = { results: `{"index":${index}}`, tally: tallyOf(operations), halt: undefined }
          return (index % 2 === 0 ? store : other).commit(hold, outcome, keepMs, undefined, start)
        }),
      )
      expect(commits.map(({ _tag }) => _tag)).toEqual(chunks.map(() => "kept"))
      expect(commits.filter((commit) => commit._tag === "kept" && commit.hasEnded)).toHaveLength(1)
      expect(await record()).toMatchObject({ state: "succeeded", succeeded: extent.total })
      expect(await store.queued()).toBe(0)
    })
  })
}
