/** Cases about the chunks that are due, by tenant, and about jobs that wait. */
import { describe, expect, it } from "vitest"
import { accepted, type Backend, chunksOf, keepMs, start } from "./Fixture.ts"

/** Declares the cases. */
export const sharing = (backend: () => Backend): void => {
  describe("due", () => {
    const due = (now = start + 1) => backend().store.due!(10, now)

    it("returns one chunk of each tenant, the oldest first", async () => {
      const { store } = backend()
      const first = await accepted(store, { job: { tenant: "a" } })
      await accepted(store, { job: { tenant: "a" }, now: start + 1 })
      const other = await accepted(store, { job: { tenant: "b" }, now: start + 1 })
      const nobody = await accepted(store, { now: start + 1 })
      const found = await due()
      expect(found[0]).toEqual({ tenant: "a", job: first.id, chunk: 0 })
      expect(new Set(found.slice(1))).toEqual(
        new Set([
          { tenant: "b", job: other.id, chunk: 0 },
          { tenant: undefined, job: nobody.id, chunk: 0 },
        ]),
      )
    })

    it("leaves out chunks that run, that have ended, or that are beyond the window", async () => {
      const { store } = backend()
      const { id, begin, commit } = await accepted(store, { job: { tenant: "a" }, chunks: chunksOf(1, 1, 1) })
      const held = await begin(0)
      expect(await due()).toEqual([{ tenant: "a", job: id, chunk: 1 }])
      await begin(1)
      expect(await due()).toEqual([])
      await commit(held)
      expect(await due()).toEqual([{ tenant: "a", job: id, chunk: 2 }])
      await store.cancel(id, keepMs, start)
      expect(await due()).toEqual([])
    })

    it("returns a chunk that was postponed when its delay is over", async () => {
      const { store } = backend()
      const { id, begin } = await accepted(store, { job: { tenant: "a" }, chunks: chunksOf(1) })
      const { hold } = await begin(0)
      await store.postpone(hold, 500, start)
      expect(await due(start + 499)).toEqual([])
      expect(await due(start + 500)).toEqual([{ tenant: "a", job: id, chunk: 0 }])
    })

    it("gives a chunk that another ref has started to no ref of its own", async () => {
      const { store } = backend()
      const { id } = await accepted(store, { chunks: chunksOf(1) })
      expect(await store.start({ job: id, chunk: 0, dispatch: 2 ** 30 + 7 }, start)).toBeDefined()
      expect(await store.start({ job: id, chunk: 0, dispatch: 0 }, start)).toBeUndefined()
    })
  })

  describe("a job that waits", () => {
    it("says for what and until when, unless another chunk runs", async () => {
      const { store } = backend()
      const { id, begin, record } = await accepted(store, { chunks: chunksOf(1, 1) })
      const first = await begin(0)
      const second = await begin(1)
      await store.postpone(first.hold, 5000, start, "quota")
      expect((await record()).waiting).toBeUndefined()
      await store.postpone(second.hold, 5000, start, "quota")
      expect((await record()).waiting).toEqual({ for: "quota", until: start + 5000 })
      expect((await record(start + 5000)).waiting).toBeUndefined()
      const again = await begin(0, start + 5000)
      expect(again.job.waiting).toBeUndefined()
      expect(await store.find(id, start + 4000)).not.toHaveProperty("waiting")
    })

    it("says nothing if it waits for something else", async () => {
      const { store } = backend()
      const { begin, record } = await accepted(store, { chunks: chunksOf(1) })
      await store.postpone((await begin(0)).hold, 5000, start)
      expect((await record()).waiting).toBeUndefined()
    })
  })
}
