/** Cases about cancelling jobs. */
import { describe, expect, it } from "vitest"
import { accepted, allChunks, type Backend, chunksOf, keepMs, partOf, refs, silentMs, start } from "./Fixture.ts"

/** Declares the cases. */
export const cancelling = (backend: () => Backend): void => {
  describe("cancel", () => {
    it("ends a job that has not started", async () => {
      const { store, other = store } = backend()
      const { id, record, finish } = await accepted(store, { chunks: chunksOf(2, 3, 4) })
      const cancelledRefs = await other.cancel(id, keepMs, start + 7)
      expect(cancelledRefs).toEqual(expect.arrayContaining([...refs(id, 0, 1)]))
      expect(await record()).toMatchObject({
        state: "cancelled",
        isCancelled: true,
        succeeded: 0,
        failed: 0,
        skipped: 9,
        expiresAt: start + 7 + keepMs,
      })
      await expect(finish(0)).rejects.toThrow("cannot be started")
      const { chunks, isLast } = await store.results(id, allChunks, start + 7)
      const neverRan = { results: undefined, outcomes: undefined, code: "CANCELLED" }
      expect(chunks).toMatchObject([
        { index: 0, ...neverRan },
        { index: 1, ...neverRan },
        { index: 2, ...neverRan },
      ])
      expect(isLast).toBe(true)
      expect(await store.overdue(1, 9, start + 1_000_000)).toEqual([])
    })

    it("keeps the results of ended and running chunks, and the job ends with the last of them", async () => {
      const { store, other = store } = backend()
      const { id, begin, commit, finish, record } = await accepted(store, { chunks: chunksOf(2, 3, 4, 5) })
      await finish(0)
      const held = await begin(1)
      const cancelledRefs = await other.cancel(id, keepMs, start)
      expect(cancelledRefs).toEqual(expect.arrayContaining([...refs(id, 2)]))
      expect(cancelledRefs).not.toEqual(expect.arrayContaining([...refs(id, 1)]))
      expect(await record()).toMatchObject({ state: "running", isCancelled: true, succeeded: 2, skipped: 9 })
      expect(await store.checkpoint(held.hold, partOf(0, 1), start)).toBe(true)
      const last = await commit(held, { outcomes: "s--" }, start + 9)
      expect(last).toEqual({ _tag: "kept", due: [], hasEnded: true })
      expect(await record()).toMatchObject({
        state: "cancelled",
        succeeded: 3,
        failed: 0,
        skipped: 11,
        expiresAt: start + 9 + keepMs,
      })
      expect((await store.results(id, allChunks, start)).chunks).toMatchObject([
        { index: 0, outcomes: "ss", code: undefined },
        { index: 1, outcomes: "s--", code: undefined },
        { index: 2, outcomes: undefined, code: "CANCELLED" },
        { index: 3, outcomes: undefined, code: "CANCELLED" },
      ])
    })

    it("does not change a job that has ended", async () => {
      const { store } = backend()
      const { id, finish, record } = await accepted(store, { chunks: chunksOf(2) })
      await finish(0)
      const ended = await record()
      expect(await store.cancel(id, 1, start + 5)).toEqual([])
      expect(await record()).toEqual(ended)
      expect(await store.cancelled([id])).toEqual([])
    })

    it("can be repeated", async () => {
      const { store } = backend()
      const { id, begin, record } = await accepted(store)
      await begin(0)
      await store.cancel(id, keepMs, start)
      const once = await record()
      expect(await store.cancel(id, keepMs, start)).toBeDefined()
      expect(await record()).toMatchObject({ state: once.state, skipped: once.skipped, isCancelled: true })
      expect(await store.queued()).toBe(2)
    })

    it("lets a chunk whose worker died be started again, so that the job can end", async () => {
      const { store } = backend()
      const { id, begin, commit, record } = await accepted(store)
      const { hold } = await begin(0)
      await store.checkpoint(hold, partOf(0, 1), start)
      await store.cancel(id, keepMs, start)
      expect(await store.overdue(silentMs, 9, start + silentMs)).toEqual([{ job: id, chunk: 0, dispatch: 1 }])
      const again = await begin(0, start + silentMs)
      expect(again).toMatchObject({ job: { isCancelled: true }, parts: [partOf(0, 1)] })
      expect(await commit(again, { outcomes: "s-" })).toMatchObject({ hasEnded: true })
      expect(await record()).toMatchObject({ state: "cancelled", succeeded: 1, skipped: 5 })
    })

    it("makes a chunk that is postponed afterwards overdue at once", async () => {
      const { store } = backend()
      const { id, begin } = await accepted(store)
      const { hold } = await begin(0)
      await store.cancel(id, keepMs, start)
      const ref = await store.postpone(hold, 3_600_000, start)
      expect(await store.overdue(silentMs, 9, start + 1)).toEqual([{ ...ref, dispatch: ref!.dispatch + 1 }])
    })

    it("ends a postponed chunk only if nothing of it was kept", async () => {
      const { store } = backend()
      const { id, begin, commit, record } = await accepted(store)
      const [partial, empty] = [await begin(0), await begin(1)]
      await store.checkpoint(partial.hold, partOf(0, 1), start)
      await store.postpone(partial.hold, 3_600_000, start)
      await store.postpone(empty.hold, 3_600_000, start)
      const cancelledRefs = await store.cancel(id, keepMs, start)
      expect(cancelledRefs).toEqual(expect.arrayContaining([{ job: id, chunk: 1, dispatch: 1 }]))
      expect(cancelledRefs).not.toEqual(expect.arrayContaining([{ job: id, chunk: 0, dispatch: 1 }]))
      expect(await record()).toMatchObject({ state: "running", isCancelled: true, skipped: 4 })
      // It is overdue at once, in spite of its delay.
      expect(await store.overdue(silentMs, 9, start + 1)).toEqual([{ job: id, chunk: 0, dispatch: 2 }])
      const again = await begin(0, start + 1)
      expect(again).toMatchObject({ job: { isCancelled: true }, parts: [partOf(0, 1)] })
      expect(await commit(again, { outcomes: "s-" })).toMatchObject({ hasEnded: true })
      expect(await record()).toMatchObject({ state: "cancelled", succeeded: 1, skipped: 5 })
    })

    it("ends a job once when chunks commit concurrently", async () => {
      const { store, other = store } = backend()
      for (let round = 0; round < 15; round++) {
        const { id, begin, commit, record, extent } = await accepted(store, { chunks: chunksOf(2, 2, 2, 2) })
        const held = [await begin(0), await begin(1)]
        const [, ...commits] = await Promise.all([
          (round % 2 === 0 ? other : store).cancel(id, keepMs, start),
          ...held.map((each) => commit(each)),
        ])
        expect(commits.map(({ _tag }) => _tag)).toEqual(["kept", "kept"])
        // A chunk that became due before the cancellation was ended by it.
        expect(await record()).toMatchObject({ succeeded: 4, skipped: extent.total - 4, state: "cancelled" })
      }
      expect(await store.queued()).toBe(0)
    })
  })

  it("`cancelled` returns jobs that are cancelled or do not exist", async () => {
    const { store, other = store } = backend()
    const [active, stopped] = [await accepted(store), await accepted(store)]
    await active.begin(0)
    await stopped.begin(0)
    expect(await store.cancelled([active.id, stopped.id])).toEqual([])
    await other.cancel(stopped.id, keepMs, start)
    const unknown = "AAAAAAAAAAAAAAAAAAAAAA"
    const found = await store.cancelled([active.id, stopped.id, unknown])
    expect([...found].sort()).toEqual([stopped.id, unknown].sort())
    expect(await store.cancelled([])).toEqual([])
  })
}
