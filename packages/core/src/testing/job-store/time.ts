/** What time does: chunks fall silent, results are forgotten, jobs are given up. */
import { describe, expect, it } from "vitest"
import type { JobStore } from "../../jobs/JobStore.ts"
import {
  accepted,
  type Backend,
  chunksOf,
  keepMs,
  lifeMs,
  newHash,
  partOf,
  refs,
  roomy,
  silentMs,
  stage,
  start,
  tallyOf,
} from "./Fixture.ts"

const tombstoneMs = 5_000

/** Declares the cases. */
export const time = (backend: () => Backend): void => {
  const overdue = (now: number, limit = 99, store: JobStore = backend().store) => store.overdue(silentMs, limit, now)

  describe("the time", () => {
    it("is the store's own where none is given", async () => {
      const { store } = backend()
      const { id, job, extent, chunks } = stage(store)
      await store.submit(job, extent, chunks, roomy)
      const found = await store.find(id)
      expect(found).toMatchObject({ state: "queued" })
      if (found === undefined || found.state === "forgotten") return
      expect(Math.abs(found.createdAt - Date.now())).toBeLessThan(10_000)
      expect(found.expiresAt).toBe(found.createdAt + lifeMs)
      expect(await store.overdue(60_000, 99)).toEqual([])
      await expect.poll(() => store.overdue(1, 99), { timeout: 5_000 }).toHaveLength(2)
    })
  })

  describe("a silent chunk", () => {
    it("that nobody started is sent anew, once for each silence", async () => {
      const { id } = await accepted(backend().store)
      expect(await overdue(start + silentMs - 1)).toEqual([])
      const again = refs(id, 0, 1).map((ref) => ({ ...ref, dispatch: 1 }))
      expect(sorted(await overdue(start + silentMs))).toEqual(again)
      expect(await overdue(start + silentMs)).toEqual([])
      let at = start + silentMs
      // It may only wait for its turn: it is sent less and less often.
      for (const [place, times] of [2, 4, 8, 16, 16].entries()) {
        expect(await overdue(at + times * silentMs - 1)).toEqual([])
        at += times * silentMs
        expect(sorted(await overdue(at))).toEqual(again.map((ref) => ({ ...ref, dispatch: place + 2 })))
      }
    })

    it("is sent anew from its start, its last part, or from when it became due", async () => {
      const { store } = backend()
      const { id, begin, finish } = await accepted(store, { chunks: chunksOf(4, 4, 4) })
      const { hold } = await begin(0, start + 1_000)
      await finish(1, {}, start + 2_000)
      await store.checkpoint(hold, partOf(0, 1), start + 3_000)
      expect(await overdue(start + 1_999 + silentMs)).toEqual([])
      expect(await overdue(start + 2_000 + silentMs)).toEqual([{ job: id, chunk: 2, dispatch: 1 }])
      expect(await overdue(start + 2_999 + silentMs)).toEqual([])
      expect(await overdue(start + 3_000 + silentMs)).toEqual([{ job: id, chunk: 0, dispatch: 1 }])
    })

    it("is not what its worker says is alive, and that is for whoever holds it to say", async () => {
      const { store } = backend()
      const { id, begin } = await accepted(store, { extent: { window: 1 } })
      const { hold } = await begin(0, start)
      expect(await store.keepAlive(hold, start + 1_000)).toBe(true)
      expect(await overdue(start + 999 + silentMs)).toEqual([])
      const second = await begin(0, start + 2_000)
      expect(await store.keepAlive(hold, start + 9_000)).toBe(false)
      expect(await overdue(start + 2_000 + silentMs)).toEqual([{ job: id, chunk: 0, dispatch: 1 }])
      expect(second.starts).toBe(2)
    })

    it("is still its worker's, until another starts it", async () => {
      const { store } = backend()
      const { begin, commit } = await accepted(store)
      const held = await begin(0)
      await overdue(start + silentMs)
      expect(await store.checkpoint(held.hold, partOf(0, 1), start + silentMs)).toBe(true)
      expect(await commit(held, {}, start + silentMs)).toMatchObject({ _tag: "kept" })
    })

    it("that is not due yet is not sent", async () => {
      const { finish, id } = await accepted(backend().store, { extent: { window: 1 } })
      expect(await overdue(start + silentMs)).toEqual([{ job: id, chunk: 0, dispatch: 1 }])
      await finish(0, {}, start + silentMs)
      expect(await overdue(start + 2 * silentMs)).toEqual([{ job: id, chunk: 1, dispatch: 1 }])
    })

    it("is given to one of those who ask at once, as many at a time as they want", { timeout: 60_000 }, async () => {
      const { store, other = store } = backend()
      const jobs = await Promise.all(
        Array.from({ length: 10 }, () => accepted(store, { chunks: chunksOf(1, 1, 1, 1, 1), extent: { window: 5 } })),
      )
      const now = start + silentMs
      const found = await Promise.all(
        Array.from({ length: 12 }, (_, index) => overdue(now, 3, index % 2 === 0 ? store : other)),
      )
      for (const each of found) expect(each.length).toBeLessThanOrEqual(3)
      const rest: Array<unknown> = []
      for (let round = 0; round < 60; round++) rest.push(...(await overdue(now, 3)))
      const names = [...found.flat(), ...rest].map((ref) => JSON.stringify(ref)).sort()
      const wanted = jobs.flatMap(({ id }) => refs(id, 0, 1, 2, 3, 4).map((ref) => ({ ...ref, dispatch: 1 })))
      expect(names).toEqual(wanted.map((ref) => JSON.stringify(ref)).sort())
    })
  })

  describe("a job whose time is over", () => {
    const sweep = (now: number, limit = 99) => backend().store.sweep(limit, tombstoneMs, now)

    it("is forgotten, then it is not even known that it was there", async () => {
      const { store, other = store } = backend()
      const { id, finish, record } = await accepted(store, { job: { tenant: "t" }, chunks: chunksOf(1) })
      await finish(0)
      const over = start + keepMs
      expect(await sweep(over - 1)).toBe(0)
      expect((await record(over - 1)).state).toBe("succeeded")
      const tombstone = { state: "forgotten", id, tenant: "t" }
      expect(await other.find(id, over)).toEqual(tombstone)
      expect(await sweep(over)).toBe(1)
      expect(await other.find(id, over)).toEqual(tombstone)
      expect((await store.results(id, { from: 0, limit: 9, onlyFailed: false }, over)).chunks).toEqual([])
      expect(await store.cancel(id, keepMs, over)).toBeUndefined()
      expect(await store.cancelled([id])).toEqual([id])
      expect(await store.start({ job: id, chunk: 0 }, over)).toBeUndefined()
      expect(await sweep(over + tombstoneMs - 1)).toBe(0)
      expect(await other.find(id, over + tombstoneMs - 1)).toEqual(tombstone)
      expect(await sweep(over + tombstoneMs)).toBe(1)
      expect(await other.find(id, over + tombstoneMs)).toBeUndefined()
    })

    it("gives its key back", async () => {
      const { store } = backend()
      const key = newHash()
      const first = await accepted(store, { job: { key }, chunks: chunksOf(1) })
      await first.finish(0)
      await sweep(start + keepMs)
      const second = stage(store, { job: { key }, now: start + keepMs })
      expect(await second.submit()).toMatchObject({ _tag: "accepted" })
      await sweep(start + keepMs + tombstoneMs)
      expect(await stage(store, { job: { key }, now: start + keepMs }).submit()).toMatchObject({ id: second.id })
    })

    it("is given up if it has not ended, and what its workers still bring is refused", async () => {
      const { store } = backend()
      const { id, begin, finish } = await accepted(store, { job: { key: newHash() } })
      await finish(0)
      const { hold } = await begin(1)
      const over = start + lifeMs
      expect(await sweep(over - 1)).toBe(0)
      expect(await sweep(over)).toBe(1)
      expect(await store.find(id, over)).toMatchObject({ state: "forgotten" })
      expect(await store.cancelled([id])).toEqual([id])
      expect(await store.checkpoint(hold, partOf(0, 1), over)).toBe(false)
      const outcome = { results: "", tally: tallyOf(2), halt: undefined }
      expect(await store.commit(hold, outcome, keepMs, undefined, over)).toEqual({ _tag: "refused" })
      expect(await store.postpone(hold, 0, over)).toBeUndefined()
      expect(await store.start({ job: id, chunk: 1 }, over)).toBeUndefined()
      expect(await overdue(over + silentMs)).toEqual([])
      expect(await store.queued()).toBe(0)
    })

    it("is dropped without a trace if it was never accepted", async () => {
      const { store } = backend()
      const { id, job, chunks, extent } = stage(store)
      await store.open(job, start)
      await store.append(id, chunks, start)
      const over = start + lifeMs
      for (let found = 1; found > 0;) found = await sweep(over)
      expect(await store.find(id, over)).toBeUndefined()
      expect(await store.append(id, chunks, over)).toBe(false)
      expect(await store.close(id, extent, roomy, undefined, over)).toEqual({ _tag: "gone" })
    })

    it("is forgotten as many at a time as are wanted", async () => {
      const { store } = backend()
      const jobs = await Promise.all(Array.from({ length: 7 }, () => accepted(store, { chunks: chunksOf(1, 1) })))
      for (const { id } of jobs) await store.cancel(id, keepMs, start)
      const over = start + keepMs
      const rounds: Array<number> = []
      for (let found = 1; found > 0;) rounds.push((found = await sweep(over, 3)))
      expect(rounds.reduce((sum, each) => sum + each, 0)).toBe(7)
      expect(Math.max(...rounds)).toBeLessThanOrEqual(3)
      for (const { id } of jobs) expect(await store.find(id, over)).toMatchObject({ state: "forgotten" })
    })
  })
}

const sorted = <Ref extends { readonly chunk: number }>(found: ReadonlyArray<Ref>): ReadonlyArray<Ref> =>
  [...found].sort((one, two) => one.chunk - two.chunk)
