/** Cases about the end of chunks and jobs, and about halting a job. */
import { describe, expect, it } from "vitest"
import { tallyOf } from "../../jobs/Job.ts"
import { accepted, allChunks, type Backend, chunksOf, keepMs, lines, partOf, start } from "./Fixture.ts"

/** Declares the cases. */
export const ending = (backend: () => Backend): void => {
  describe("a job", () => {
    it.each([
      { state: "succeeded", outcomes: ["ss", "ss", "ss"] },
      { state: "partial", outcomes: ["ss", "sf", "ss"] },
      { state: "partial", outcomes: ["ss", "ss", "--"] },
      { state: "failed", outcomes: ["ff", "f-", "ff"] },
    ])("has $state if the outcomes of its chunks are $outcomes", async ({ state, outcomes }) => {
      const { store } = backend()
      const { finish, record } = await accepted(store)
      for (const [index, chunk] of outcomes.entries()) {
        expect((await record()).state).toBe(index === 0 ? "queued" : "running")
        expect(await finish(index, { outcomes: chunk }, start + index)).toMatchObject({ hasEnded: index === 2 })
      }
      expect(await record()).toMatchObject({
        state,
        ...tallyOf(outcomes.join("")),
        expiresAt: start + 2 + keepMs,
        isCancelled: false,
      })
    })

    it("ends when all of its chunks have ended, in any order", async () => {
      const { finish, record } = await accepted(backend().store, { extent: { window: 3 } })
      await finish(2)
      await finish(0)
      expect((await record()).state).toBe("running")
      await finish(1)
      expect((await record()).state).toBe("succeeded")
    })

    it("does not change when a chunk is committed again", async () => {
      const { store } = backend()
      const { id, begin, commit, record } = await accepted(store, { chunks: chunksOf(2) })
      const held = await begin(0)
      await commit(held)
      const ended = await record()
      expect(await commit(held, { outcomes: "ff", results: `"again"` }, start + 5)).toEqual({ _tag: "refused" })
      expect(await store.checkpoint(held.hold, partOf(0, 1), start + 5)).toBe(false)
      expect(await store.postpone(held.hold, 0, start + 5)).toBeUndefined()
      expect(await store.start({ job: id, chunk: 0 }, start + 5)).toBeUndefined()
      expect(await record()).toEqual(ended)
      expect((await store.results(id, allChunks, start)).chunks).toMatchObject([{ results: lines(0, 2) }])
      expect(await store.overdue(1, 9, start + 1_000_000)).toEqual([])
    })

    it("has a new `updatedAt` after every change", async () => {
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
      expect(times).toEqual([...new Set(times)].sort((left, right) => left - right))
      expect(times.at(-1)).toBeGreaterThanOrEqual(start + 50)
      expect(times.at(-1)).toBeLessThan(start + 1_000)
    })
  })

  describe("a commit with `halt`", () => {
    it("ends the chunks that have not started, and the job if none is left", async () => {
      const { store } = backend()
      const { id, finish, record } = await accepted(store, { chunks: chunksOf(2, 3, 4) })
      const halted = await finish(0, { outcomes: "ff", halt: "SKIPPED" })
      expect(halted).toEqual({ _tag: "kept", due: [], hasEnded: true })
      expect(await record()).toMatchObject({ state: "failed", succeeded: 0, failed: 2, skipped: 7, isCancelled: false })
      for (const chunk of [1, 2]) expect(await store.start({ job: id, chunk }, start)).toBeUndefined()
      const neverRan = { results: undefined, outcomes: undefined, code: "SKIPPED" }
      expect((await store.results(id, allChunks, start)).chunks.slice(1)).toEqual([
        { index: 1, first: 2, operations: 3, ...neverRan },
        { index: 2, first: 5, operations: 4, ...neverRan },
      ])
    })

    it("leaves running chunks to their workers", async () => {
      const { store } = backend()
      const { begin, commit, finish, record } = await accepted(store, { extent: { window: 3 } })
      const other = await begin(2)
      expect(await finish(0, { outcomes: "sf", halt: "SKIPPED" })).toMatchObject({ due: [], hasEnded: false })
      expect(await record()).toMatchObject({ state: "running", skipped: 2 })
      expect(await commit(other)).toEqual({ _tag: "kept", due: [], hasEnded: true })
      expect(await record()).toMatchObject({ state: "partial", succeeded: 3, failed: 1, skipped: 2 })
    })
  })
}
