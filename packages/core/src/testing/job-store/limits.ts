/** Cases about limits on unfinished work. */
import { describe, expect, it } from "vitest"
import { accepted, type Backend, chunksOf, keepMs, outcomeOf, stage, start } from "./Fixture.ts"

/** Declares the cases. */
export const limits = (backend: () => Backend): void => {
  describe("limits", () => {
    const limitsOf = (queuedOperations: number, jobsPerTenant?: number) => ({ queuedOperations, jobsPerTenant })

    it("refuse a job that exceeds the limit of operations, and keep nothing of it", async () => {
      const { store } = backend()
      await accepted(store, { limits: limitsOf(10) })
      const refused = stage(store, { limits: limitsOf(10) })
      expect(await refused.submit()).toEqual({ _tag: "full", queued: 6 })
      expect(await store.find(refused.id, start)).toBeUndefined()
      expect(await store.queued()).toBe(6)
      const fitting = stage(store, { chunks: chunksOf(4), limits: limitsOf(10) })
      expect(await fitting.submit()).toMatchObject({ _tag: "accepted" })
    })

    it("refuse an upload when it is closed, and drop it", async () => {
      const { store } = backend()
      const { id, chunks, extent, upload } = stage(store)
      await upload()
      expect(await store.close(id, extent, limitsOf(5), undefined, start)).toEqual({ _tag: "full", queued: 0 })
      expect(await store.append(id, chunks, start)).toBe(false)
      expect(await store.find(id, start)).toBeUndefined()
      expect(await store.queued()).toBe(0)
    })

    it("no longer count the operations of a chunk that has ended", async () => {
      const { store } = backend()
      const { begin, commit, finish } = await accepted(store, { chunks: chunksOf(3, 2, 1) })
      const held = await begin(0)
      expect(await store.queued()).toBe(6)
      await commit(held)
      expect(await store.queued()).toBe(3)
      await commit(held)
      expect(await store.queued()).toBe(3)
      await finish(1, { outcomes: "f-" })
      await finish(2)
      expect(await store.queued()).toBe(0)
    })

    it("no longer count chunks that were halted or cancelled", async () => {
      const { store } = backend()
      const halted = await accepted(store)
      await halted.finish(0, { outcomes: "ff", halt: "SKIPPED" })
      expect(await store.queued()).toBe(0)
      const cancelled = await accepted(store)
      await cancelled.begin(0)
      await store.cancel(cancelled.id, keepMs, start)
      expect(await store.queued()).toBe(2)
    })

    it("count the jobs of each tenant by themselves", async () => {
      const { store } = backend()
      const jobOf = (tenant: string | undefined) =>
        stage(store, { job: { tenant }, limits: limitsOf(1_000, 2), chunks: chunksOf(1) })
      const first = jobOf("a")
      await first.submit()
      await jobOf("a").submit()
      const refused = jobOf("a")
      expect(await refused.submit()).toEqual({ _tag: "tenant-full" })
      expect(await store.find(refused.id, start)).toBeUndefined()
      expect(await jobOf("b").submit()).toMatchObject({ _tag: "accepted" })
      expect(await store.queued()).toBe(3)
      await first.finish(0)
      expect(await jobOf("a").submit()).toMatchObject({ _tag: "accepted" })
      expect(await jobOf("a").submit()).toEqual({ _tag: "tenant-full" })
    })

    it("no longer count a tenant's job that was cancelled, or has expired", async () => {
      const { store } = backend()
      const jobAt = (now: number) =>
        stage(store, { job: { tenant: "a", lifeMs: 1_000 }, limits: limitsOf(1_000, 1), now })
      const first = jobAt(start)
      await first.submit()
      await store.cancel(first.id, keepMs, start)
      expect(await jobAt(start).submit()).toMatchObject({ _tag: "accepted" })
      expect(await jobAt(start).submit()).toEqual({ _tag: "tenant-full" })
      await store.sweep(100, 1_000, start + 1_000)
      expect(await jobAt(start + 1_000).submit()).toMatchObject({ _tag: "accepted" })
      expect(await store.queued()).toBe(6)
    })

    it("are not exceeded by concurrent submissions", { timeout: 60_000 }, async () => {
      const { store, other = store } = backend()
      const jobs = Array.from({ length: 100 }, (_, index) =>
        stage(index % 2 === 0 ? store : other, {
          job: { tenant: `t${index % 4}` },
          chunks: chunksOf(2, 3),
          limits: limitsOf(52, 3),
        }),
      )
      const acceptances = await Promise.all(jobs.map(({ submit }) => submit()))
      const tagged = (tag: string) => acceptances.filter(({ _tag }) => _tag === tag).length
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

    it("count exactly when chunks end concurrently", { timeout: 60_000 }, async () => {
      const { store, other = store } = backend()
      const sizes = Array.from({ length: 20 }, (_, index) => 1 + (index % 3))
      const { begin, chunks, extent, record } = await accepted(store, {
        chunks: chunksOf(...sizes),
        extent: { window: 20 },
      })
      const held = await Promise.all(sizes.map((_, index) => begin(index)))
      const commits = await Promise.all(
        held.map((started, index) =>
          (index % 2 === 0 ? store : other).commit(started.hold, outcomeOf(started), keepMs, undefined, start),
        ),
      )
      expect(commits.map(({ _tag }) => _tag)).toEqual(chunks.map(() => "kept"))
      expect(commits.filter((commit) => commit._tag === "kept" && commit.hasEnded)).toHaveLength(1)
      expect(await record()).toMatchObject({ state: "succeeded", succeeded: extent.total })
      expect(await store.queued()).toBe(0)
    })
  })
}
