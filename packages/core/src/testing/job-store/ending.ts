/** How chunks end, and jobs with them: done, halted, cancelled. */
import { describe, expect, it } from "vitest"
import { accepted, type Backend, chunksOf, keepMs, lines, partOf, refs, silentMs, start, tallyOf } from "./Fixture.ts"

const all = { from: 0, limit: 99, onlyFailed: false }

/** Declares the cases. */
export const ending = (backend: () => Backend): void => {
  describe("a job ends", () => {
    it.each([
      ["succeeded", [tallyOf(2), tallyOf(2), tallyOf(2)]],
      ["partial", [tallyOf(2), tallyOf(1, 1), tallyOf(2)]],
      ["partial", [tallyOf(2), tallyOf(2), tallyOf(0, 0, 2)]],
      ["failed", [tallyOf(0, 2), tallyOf(0, 1, 1), tallyOf(0, 2)]],
    ] as const)("as %s when its chunks have ended so", async (state, tallies) => {
      const { store } = backend()
      const { finish, record } = await accepted(store)
      for (const [index, tally] of tallies.entries()) {
        expect((await record()).state).toBe(index === 0 ? "queued" : "running")
        expect(await finish(index, { tally }, start + index)).toMatchObject({ hasEnded: index === 2 })
      }
      const sum = (name: "succeeded" | "failed" | "skipped") => tallies.reduce((total, each) => total + each[name], 0)
      expect(await record()).toMatchObject({
        state,
        succeeded: sum("succeeded"),
        failed: sum("failed"),
        skipped: sum("skipped"),
        expiresAt: start + 2 + keepMs,
        isCancelled: false,
      })
    })

    it("with the last of its chunks, not with the one that is last in order", async () => {
      const { finish, record } = await accepted(backend().store)
      await finish(0)
      await finish(1)
      expect((await record()).state).toBe("running")
      await finish(2)
      expect((await record()).state).toBe("succeeded")
    })

    it("once: what is committed again changes nothing", async () => {
      const { store } = backend()
      const { id, begin, commit, record } = await accepted(store, { chunks: chunksOf(2) })
      const held = await begin(0)
      await commit(held)
      const ended = await record()
      expect(await commit(held, { tally: tallyOf(0, 2), results: `"again"` }, start + 5)).toEqual({ _tag: "refused" })
      expect(await store.checkpoint(held.hold, partOf(0, 1), start + 5)).toBe(false)
      expect(await store.postpone(held.hold, 0, start + 5)).toBeUndefined()
      expect(await store.start({ job: id, chunk: 0 }, start + 5)).toBeUndefined()
      expect(await record()).toEqual(ended)
      expect((await store.results(id, all, start)).chunks).toMatchObject([{ results: lines(0, 2) }])
      expect(await store.overdue(1, 9, start + 1_000_000)).toEqual([])
    })

    it("and the time of its last change rises with every change that can be seen", async () => {
      const { store } = backend()
      const { id, finish, record } = await accepted(store, { chunks: chunksOf(1, 1, 1, 1) })
      const times = [(await record()).updatedAt]
      const note = async () => times.push((await record()).updatedAt)
      for (const [chunk, now] of [start, start, start + 50].entries()) {
        await finish(chunk, {}, now)
        await note()
      }
      await store.cancel(id, keepMs, start + 50)
      await note()
      expect(times).toEqual([...new Set(times)].sort((one, two) => one - two))
      expect(times.at(-1)).toBeGreaterThanOrEqual(start + 50)
      expect(times.at(-1)).toBeLessThan(start + 1_000)
    })
  })

  describe("a chunk that halts its job", () => {
    it("ends those that have not begun, and the job if none is left", async () => {
      const { store } = backend()
      const { id, finish, record } = await accepted(store, { chunks: chunksOf(2, 3, 4) })
      const halted = await finish(0, { tally: tallyOf(0, 2), halt: "SKIPPED" })
      expect(halted).toEqual({ _tag: "kept", due: [], hasEnded: true })
      expect(await record()).toMatchObject({ state: "failed", succeeded: 0, failed: 2, skipped: 7, isCancelled: false })
      for (const chunk of [1, 2]) expect(await store.start({ job: id, chunk }, start)).toBeUndefined()
      expect((await store.results(id, all, start)).chunks.slice(1)).toEqual([
        { index: 1, first: 2, operations: 3, results: undefined, code: "SKIPPED" },
        { index: 2, first: 5, operations: 4, results: undefined, code: "SKIPPED" },
      ])
    })

    it("leaves those that run, whose results count", async () => {
      const { store } = backend()
      const { begin, commit, finish, record } = await accepted(store, { extent: { window: 3 } })
      const other = await begin(2)
      expect(await finish(0, { tally: tallyOf(1, 1), halt: "SKIPPED" })).toMatchObject({ due: [], hasEnded: false })
      expect(await record()).toMatchObject({ state: "running", skipped: 2 })
      expect(await commit(other)).toEqual({ _tag: "kept", due: [], hasEnded: true })
      expect(await record()).toMatchObject({ state: "partial", succeeded: 3, failed: 1, skipped: 2 })
    })
  })

  describe("a job that is cancelled", () => {
    it("before it began ends at once", async () => {
      const { store, other = store } = backend()
      const { id, record, finish } = await accepted(store, { chunks: chunksOf(2, 3, 4) })
      const forgotten = await other.cancel(id, keepMs, start + 7)
      expect(forgotten).toEqual(expect.arrayContaining([...refs(id, 0, 1)]))
      expect(await record()).toMatchObject({
        state: "cancelled",
        isCancelled: true,
        succeeded: 0,
        failed: 0,
        skipped: 9,
        expiresAt: start + 7 + keepMs,
      })
      await expect(finish(0)).rejects.toThrow("cannot be started")
      const { chunks, isLast } = await store.results(id, all, start + 7)
      expect(chunks.map(({ index, results, code }) => [index, results, code])).toEqual([
        [0, undefined, "CANCELLED"],
        [1, undefined, "CANCELLED"],
        [2, undefined, "CANCELLED"],
      ])
      expect(isLast).toBe(true)
      expect(await store.overdue(1, 9, start + 1_000_000)).toEqual([])
    })

    it("in the middle keeps what was done and what running chunks bring, and ends with them", async () => {
      const { store, other = store } = backend()
      const { id, begin, commit, finish, record } = await accepted(store, { chunks: chunksOf(2, 3, 4, 5) })
      await finish(0)
      const held = await begin(1)
      const due = await other.cancel(id, keepMs, start)
      expect(due).toEqual(expect.arrayContaining([...refs(id, 2)]))
      expect(due).not.toEqual(expect.arrayContaining([...refs(id, 1)]))
      expect(await record()).toMatchObject({ state: "running", isCancelled: true, succeeded: 2, skipped: 9 })
      expect(await store.checkpoint(held.hold, partOf(0, 1), start)).toBe(true)
      const last = await commit(held, { tally: tallyOf(1, 0, 2) }, start + 9)
      expect(last).toEqual({ _tag: "kept", due: [], hasEnded: true })
      expect(await record()).toMatchObject({
        state: "cancelled",
        succeeded: 3,
        failed: 0,
        skipped: 11,
        expiresAt: start + 9 + keepMs,
      })
      const { chunks } = await store.results(id, all, start)
      expect(chunks.map(({ index, code }) => [index, code])).toEqual([
        [0, undefined],
        [1, undefined],
        [2, "CANCELLED"],
        [3, "CANCELLED"],
      ])
    })

    it("after its end stays as it is", async () => {
      const { store } = backend()
      const { id, finish, record } = await accepted(store, { chunks: chunksOf(2) })
      await finish(0)
      const ended = await record()
      expect(await store.cancel(id, 1, start + 5)).toEqual([])
      expect(await record()).toEqual(ended)
      expect(await store.cancelled([id])).toEqual([])
    })

    it("twice is cancelled once", async () => {
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
      expect(await commit(again, { tally: tallyOf(1, 0, 1) })).toMatchObject({ hasEnded: true })
      expect(await record()).toMatchObject({ state: "cancelled", succeeded: 1, skipped: 5 })
    })

    it("does not wait for a chunk that is postponed after it", async () => {
      const { store } = backend()
      const { id, begin } = await accepted(store)
      const { hold } = await begin(0)
      await store.cancel(id, keepMs, start)
      const ref = await store.postpone(hold, 3_600_000, start)
      expect(await store.overdue(silentMs, 9, start + 1)).toEqual([{ ...ref, dispatch: ref!.dispatch + 1 }])
    })

    it("loses nothing that was done of a chunk that had been postponed", async () => {
      const { store } = backend()
      const { id, begin, commit, record } = await accepted(store)
      const [half, idle] = [await begin(0), await begin(1)]
      await store.checkpoint(half.hold, partOf(0, 1), start)
      await store.postpone(half.hold, 3_600_000, start)
      await store.postpone(idle.hold, 3_600_000, start)
      const due = await store.cancel(id, keepMs, start)
      expect(due).toEqual(expect.arrayContaining([{ job: id, chunk: 1, dispatch: 1 }]))
      expect(due).not.toEqual(expect.arrayContaining([{ job: id, chunk: 0, dispatch: 1 }]))
      expect(await record()).toMatchObject({ state: "running", isCancelled: true, skipped: 4 })
      // Whoever looks for silent chunks finds it at once, however long it was to wait.
      expect(await store.overdue(silentMs, 9, start + 1)).toEqual([{ job: id, chunk: 0, dispatch: 2 }])
      const again = await begin(0, start + 1)
      expect(again).toMatchObject({ job: { isCancelled: true }, parts: [partOf(0, 1)] })
      expect(await commit(again, { tally: tallyOf(1, 0, 1) })).toMatchObject({ hasEnded: true })
      expect(await record()).toMatchObject({ state: "cancelled", succeeded: 1, skipped: 5 })
    })

    it("is known to those who run it, like one that is gone", async () => {
      const { store, other = store } = backend()
      const [quiet, stopped] = [await accepted(store), await accepted(store)]
      await quiet.begin(0)
      await stopped.begin(0)
      expect(await store.cancelled([quiet.id, stopped.id])).toEqual([])
      await other.cancel(stopped.id, keepMs, start)
      const asked = [quiet.id, stopped.id, "AAAAAAAAAAAAAAAAAAAAAA"]
      expect([...(await store.cancelled(asked))].sort()).toEqual([stopped.id, "AAAAAAAAAAAAAAAAAAAAAA"].sort())
      expect(await store.cancelled([])).toEqual([])
    })

    it("ends once, whoever commits and cancels at once", async () => {
      const { store, other = store } = backend()
      for (let round = 0; round < 15; round++) {
        const { id, begin, commit, record, extent } = await accepted(store, { chunks: chunksOf(2, 2, 2, 2) })
        const held = [await begin(0), await begin(1)]
        const [, ...commits] = await Promise.all([
          (round % 2 === 0 ? other : store).cancel(id, keepMs, start),
          ...held.map((each) => commit(each)),
        ])
        expect(commits.map(({ _tag }) => _tag)).toEqual(["kept", "kept"])
        // What became due before it was cancelled was ended by that.
        const { succeeded, skipped, state } = await record()
        expect([succeeded, skipped, state]).toEqual([4, extent.total - 4, "cancelled"])
      }
      expect(await store.queued()).toBe(0)
    })
  })
}
