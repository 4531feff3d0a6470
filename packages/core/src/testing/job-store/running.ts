/** Cases about workers: holds on chunks, kept parts, postponed chunks, and the window. */
import { describe, expect, it } from "vitest"
import {
  accepted,
  allChunks,
  type Backend,
  chunksOf,
  keepMs,
  lines,
  outcomeOf,
  partOf,
  refs,
  silentMs,
  stage,
  start,
} from "./Fixture.ts"

/** Declares the cases. */
export const running = (backend: () => Backend): void => {
  describe("start", () => {
    it("returns the operations of the chunk, and the job runs", async () => {
      const { store } = backend()
      const { id, begin, chunks, record } = await accepted(store, { chunks: chunksOf(3, 2) })
      const started = await begin(1, start + 5)
      expect(started).toMatchObject({ ...chunks[1]!, hold: { job: id, chunk: 1 }, starts: 1, parts: [] })
      expect(started.job).toEqual(await record())
      expect(started.job).toMatchObject({ state: "running", total: 5, chunks: 2 })
    })

    it("returns nothing if the chunk does not exist or has ended", async () => {
      const { store } = backend()
      const { id, finish } = await accepted(store)
      expect(await store.start({ job: id, chunk: 3 }, start)).toBeUndefined()
      await finish(0)
      expect(await store.start({ job: id, chunk: 0 }, start)).toBeUndefined()
    })

    it("ends the hold of the worker before, whose writes are refused", async () => {
      const { store, other = store } = backend()
      const { begin, record, id } = await accepted(store)
      const zombie = await begin(0)
      const again = (await other.start({ job: id, chunk: 0 }, start + 1))!
      expect(again.hold.epoch).toBeGreaterThan(zombie.hold.epoch)
      expect(again.starts).toBe(2)
      const before = await record()
      expect(await store.checkpoint(zombie.hold, partOf(0, 1, `"zombie"`), start + 2)).toBe(false)
      expect(await store.postpone(zombie.hold, 0, start + 2)).toBeUndefined()
      const late = { results: `"zombie"`, outcomes: "ff", halt: "SKIPPED" }
      expect(await store.commit(zombie.hold, late, keepMs, undefined, start + 2)).toEqual({ _tag: "refused" })
      expect(await record()).toEqual(before)
      const committed = await other.commit(again.hold, outcomeOf(again), keepMs, undefined, start + 3)
      expect(committed).toMatchObject({ _tag: "kept" })
      expect(await store.commit(zombie.hold, late, keepMs, undefined, start + 4)).toEqual({ _tag: "refused" })
      const { chunks } = await store.results(id, allChunks, start + 4)
      expect(chunks).toMatchObject([{ index: 0, results: lines(0, 2), outcomes: "ss", code: undefined }])
      expect(await record()).toMatchObject({ succeeded: 2, failed: 0, skipped: 0 })
    })

    it("gives a waiting chunk to its first dispatch that is delivered, and then to no other", async () => {
      const { store, other = store } = backend()
      const { id, commit } = await accepted(store)
      const now = start + silentMs
      await store.overdue(silentMs, 9, now)
      const held = (await store.start({ job: id, chunk: 0, dispatch: 0 }, now))!
      expect(await other.start({ job: id, chunk: 0, dispatch: 1 }, now)).toBeUndefined()
      const again = (await other.start({ job: id, chunk: 0, dispatch: 0 }, now))!
      expect(again.hold.epoch).toBeGreaterThan(held.hold.epoch)
      expect(await commit(again, {}, now)).toMatchObject({ _tag: "kept" })
    })

    it("gives a silent running chunk to the dispatch by which it was sent again", async () => {
      const { store, other = store } = backend()
      const { id, begin } = await accepted(store)
      await store.start({ job: id, chunk: 0, dispatch: 0 }, start)
      const now = start + silentMs
      await store.overdue(silentMs, 9, now)
      expect(await other.start({ job: id, chunk: 0, dispatch: 0 }, now)).toBeUndefined()
      const held = (await other.start({ job: id, chunk: 0, dispatch: 1 }, now))!
      const ref = await store.postpone(held.hold, 0, now)
      expect(ref).toEqual({ job: id, chunk: 0, dispatch: 2 })
      expect(await store.start(ref!, now)).toMatchObject({ hold: { chunk: 0 } })
      // Without a dispatch, the chunk is given in any case.
      expect((await begin(0, now)).hold.epoch).toBeGreaterThan(held.hold.epoch + 1)
    })

    it("gives each of several concurrent calls its own epoch, and only the last one can commit", async () => {
      const { store, other = store } = backend()
      const { id, record } = await accepted(store)
      const started = await Promise.all(
        Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? store : other).start({ job: id, chunk: 0 }, start)),
      )
      const epochs = started.map((each) => each!.hold.epoch)
      expect(new Set(epochs).size).toBe(12)
      const commits = await Promise.all(
        started.map((each) => store.commit(each!.hold, outcomeOf(each!), keepMs, {}, start)),
      )
      expect(commits.map(({ _tag }) => _tag === "kept")).toEqual(epochs.map((each) => each === Math.max(...epochs)))
      expect(await record()).toMatchObject({ succeeded: 2 })
    })

    it("counts starts from the one that last kept results", async () => {
      const { store } = backend()
      const { begin } = await accepted(store, { chunks: chunksOf(4) })
      for (const starts of [1, 2, 3]) expect((await begin(0)).starts).toBe(starts)
      const { hold } = await begin(0)
      await store.checkpoint(hold, partOf(0, 1), start)
      expect((await begin(0)).starts).toBe(2)
    })
  })

  describe("checkpoint", () => {
    it("keeps parts for the next start, in order", async () => {
      const { store } = backend()
      const { begin } = await accepted(store, { chunks: chunksOf(30) })
      const parts = Array.from({ length: 12 }, (_, index) => ({
        at: 2 * index,
        results: lines(2 * index, 2),
        outcomes: index % 2 === 0 ? "s-" : "fs",
      }))
      const first = await begin(0)
      for (const part of parts.slice(0, 5)) expect(await store.checkpoint(first.hold, part, start)).toBe(true)
      const second = await begin(0)
      expect(second.parts).toEqual(parts.slice(0, 5))
      for (const part of parts.slice(5)) expect(await store.checkpoint(second.hold, part, start)).toBe(true)
      expect((await begin(0)).parts).toEqual(parts)
    })

    it("keeps a repeated part once", async () => {
      const { store } = backend()
      const { begin } = await accepted(store, { chunks: chunksOf(9) })
      const { hold } = await begin(0)
      const parts = [partOf(0, 2), partOf(2, 3)]
      for (const part of [parts[0]!, parts[0]!, parts[1]!, parts[1]!]) {
        expect(await store.checkpoint(hold, part, start)).toBe(true)
      }
      expect((await begin(0)).parts).toEqual(parts)
    })

    it("does not change the counts of the job", async () => {
      const { store } = backend()
      const { begin, commit, record } = await accepted(store, { chunks: chunksOf(4) })
      const held = await begin(0)
      await store.checkpoint(held.hold, partOf(0, 2), start)
      expect(await record()).toMatchObject({ succeeded: 0, failed: 0, skipped: 0 })
      await commit(held, { outcomes: "sssf" })
      expect(await record()).toMatchObject({ succeeded: 3, failed: 1, skipped: 0 })
    })
  })

  describe("postpone", () => {
    it("keeps the parts, and returns the next dispatch", async () => {
      const { store } = backend()
      const { begin, id } = await accepted(store, { chunks: chunksOf(4) })
      const started = await begin(0)
      const { hold } = started
      await store.checkpoint(hold, partOf(0, 2), start)
      expect(await store.postpone(hold, 5_000, start)).toEqual({ job: id, chunk: 0, dispatch: 1 })
      expect(await store.checkpoint(hold, partOf(2, 1), start)).toBe(false)
      expect(await store.postpone(hold, 5_000, start)).toBeUndefined()
      expect(await store.commit(hold, outcomeOf(started), keepMs, undefined, start)).toEqual({ _tag: "refused" })
      const again = await begin(0, start + 5_000)
      expect(again.parts).toEqual([partOf(0, 2)])
      expect(again.hold.epoch).toBeGreaterThan(hold.epoch)
      expect(await store.postpone(again.hold, 0, start)).toEqual({ job: id, chunk: 0, dispatch: 2 })
    })

    it("does not count as a start", async () => {
      const { store } = backend()
      const { begin } = await accepted(store)
      for (let round = 0; round < 8; round++) {
        const { hold, starts } = await begin(0)
        expect(starts).toBe(1)
        await store.postpone(hold, 0, start)
      }
    })

    it("delays the time at which the chunk is overdue", async () => {
      const { store } = backend()
      const { begin, id } = await accepted(store, { chunks: chunksOf(2) })
      const { hold } = await begin(0)
      await store.postpone(hold, 600_000, start)
      const later = start + 600_000
      expect(await store.overdue(silentMs, 9, later + 2 * silentMs - 1)).toEqual([])
      expect(await store.overdue(silentMs, 9, later + 2 * silentMs)).toEqual([{ job: id, chunk: 0, dispatch: 2 }])
    })

    it("does not hold back other chunks", async () => {
      const { store } = backend()
      const { begin, finish, id } = await accepted(store, { chunks: chunksOf(1, 1, 1, 1) })
      const { hold } = await begin(0)
      await store.postpone(hold, 5_000, start)
      expect(await finish(1)).toEqual({ _tag: "kept", due: refs(id, 2), hasEnded: false })
    })
  })

  describe("the window", () => {
    it("limits how many chunks are due, in order, whichever chunk ends first", async () => {
      const { store } = backend()
      const { id, finish, submit } = stage(store, { chunks: chunksOf(1, 1, 1, 1, 1), extent: { window: 2 } })
      expect(await submit()).toMatchObject({ due: refs(id, 0, 1) })
      expect(await finish(1)).toEqual({ _tag: "kept", due: refs(id, 2), hasEnded: false })
      expect(await finish(2)).toEqual({ _tag: "kept", due: refs(id, 3), hasEnded: false })
      expect(await finish(0)).toEqual({ _tag: "kept", due: refs(id, 4), hasEnded: false })
      expect(await finish(4)).toEqual({ _tag: "kept", due: [], hasEnded: false })
      expect(await finish(3)).toEqual({ _tag: "kept", due: [], hasEnded: true })
    })

    it("of 1 makes one chunk due after the other", async () => {
      const { store } = backend()
      const { id, finish, submit } = stage(store, { extent: { window: 1 } })
      expect(await submit()).toMatchObject({ due: refs(id, 0) })
      expect(await finish(0)).toMatchObject({ due: refs(id, 1) })
      expect(await finish(1)).toMatchObject({ due: refs(id, 2) })
      expect(await finish(2)).toEqual({ _tag: "kept", due: [], hasEnded: true })
    })
  })
}
