/** Cases about time: silent chunks, expired jobs, and deleted results. */
import { describe, expect, it } from "vitest"
import type { JobStore } from "../../jobs/JobStore.ts"
import {
  accepted,
  allChunks,
  type Backend,
  chunksOf,
  keepMs,
  lifeMs,
  newHash,
  noLimits,
  outcomeOf,
  partOf,
  refs,
  silentMs,
  stage,
  start,
} from "./Fixture.ts"

const tombstoneMs = 5_000

/** Declares the cases. */
export const time = (backend: () => Backend): void => {
  it("uses the store's own time if none is given", async () => {
    const { store } = backend()
    const { id, job, extent, chunks } = stage(store)
    await store.submit(job, extent, chunks, noLimits)
    const found = await store.find(id)
    expect(found).toMatchObject({ state: "queued" })
    if (found === undefined || found.state === "forgotten") return
    expect(Math.abs(found.createdAt - Date.now())).toBeLessThan(10_000)
    expect(found.expiresAt).toBe(found.createdAt + lifeMs)
    expect(await store.overdue(60_000, 99)).toEqual([])
    await expect.poll(() => store.overdue(1, 99), { timeout: 5_000 }).toHaveLength(2)
  })

  describe("overdue", () => {
    const overdue = (now: number, limit = 99, store: JobStore = backend().store) => store.overdue(silentMs, limit, now)

    it("returns a chunk that nobody starts once per silence, which doubles up to 16 times", async () => {
      const { id } = await accepted(backend().store)
      expect(await overdue(start + silentMs - 1)).toEqual([])
      const again = refs(id, 0, 1).map((ref) => ({ ...ref, dispatch: 1 }))
      expect(sorted(await overdue(start + silentMs))).toEqual(again)
      expect(await overdue(start + silentMs)).toEqual([])
      let now = start + silentMs
      for (const [index, factor] of [2, 4, 8, 16, 16].entries()) {
        expect(await overdue(now + factor * silentMs - 1)).toEqual([])
        now += factor * silentMs
        expect(sorted(await overdue(now))).toEqual(again.map((ref) => ({ ...ref, dispatch: index + 2 })))
      }
    })

    it("counts from the time a chunk became due, was started, or was last kept", async () => {
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

    it("does not return a chunk that its holder keeps alive", async () => {
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

    it("does not end the hold on a chunk", async () => {
      const { store } = backend()
      const { begin, commit } = await accepted(store)
      const held = await begin(0)
      await overdue(start + silentMs)
      expect(await store.checkpoint(held.hold, partOf(0, 1), start + silentMs)).toBe(true)
      expect(await commit(held, {}, start + silentMs)).toMatchObject({ _tag: "kept" })
    })

    it("does not return a chunk that is not due", async () => {
      const { finish, id } = await accepted(backend().store, { extent: { window: 1 } })
      expect(await overdue(start + silentMs)).toEqual([{ job: id, chunk: 0, dispatch: 1 }])
      await finish(0, {}, start + silentMs)
      expect(await overdue(start + 2 * silentMs)).toEqual([{ job: id, chunk: 1, dispatch: 1 }])
    })

    it("returns each chunk to one of several concurrent callers, up to the limit", { timeout: 60_000 }, async () => {
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
      const texts = [...found.flat(), ...rest].map((ref) => JSON.stringify(ref)).sort()
      const expected = jobs.flatMap(({ id }) => refs(id, 0, 1, 2, 3, 4).map((ref) => ({ ...ref, dispatch: 1 })))
      expect(texts).toEqual(expected.map((ref) => JSON.stringify(ref)).sort())
    })
  })

  describe("an expired job", () => {
    const sweep = (now: number, limit = 99) => backend().store.sweep(limit, tombstoneMs, now)

    it("is forgotten, and later unknown", async () => {
      const { store, other = store } = backend()
      const { id, finish, record } = await accepted(store, { job: { tenant: "t" }, chunks: chunksOf(1) })
      await finish(0)
      const expiry = start + keepMs
      expect(await sweep(expiry - 1)).toBe(0)
      expect((await record(expiry - 1)).state).toBe("succeeded")
      const tombstone = { state: "forgotten", id, tenant: "t" }
      expect(await other.find(id, expiry)).toEqual(tombstone)
      expect(await sweep(expiry)).toBe(1)
      expect(await other.find(id, expiry)).toEqual(tombstone)
      expect((await store.results(id, allChunks, expiry)).chunks).toEqual([])
      expect(await store.cancel(id, keepMs, expiry)).toBeUndefined()
      expect(await store.cancelled([id])).toEqual([id])
      expect(await store.start({ job: id, chunk: 0 }, expiry)).toBeUndefined()
      expect(await sweep(expiry + tombstoneMs - 1)).toBe(0)
      expect(await other.find(id, expiry + tombstoneMs - 1)).toEqual(tombstone)
      expect(await sweep(expiry + tombstoneMs)).toBe(1)
      expect(await other.find(id, expiry + tombstoneMs)).toBeUndefined()
    })

    it("frees its key", async () => {
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

    it("is dropped if it has not ended, and the writes of its workers are refused", async () => {
      const { store } = backend()
      const { id, begin, finish } = await accepted(store, { job: { key: newHash() } })
      await finish(0)
      const started = await begin(1)
      const { hold } = started
      const expiry = start + lifeMs
      expect(await sweep(expiry - 1)).toBe(0)
      expect(await sweep(expiry)).toBe(1)
      expect(await store.find(id, expiry)).toMatchObject({ state: "forgotten" })
      expect(await store.cancelled([id])).toEqual([id])
      expect(await store.checkpoint(hold, partOf(0, 1), expiry)).toBe(false)
      expect(await store.commit(hold, outcomeOf(started), keepMs, undefined, expiry)).toEqual({ _tag: "refused" })
      expect(await store.postpone(hold, 0, expiry)).toBeUndefined()
      expect(await store.start({ job: id, chunk: 1 }, expiry)).toBeUndefined()
      expect(await store.overdue(silentMs, 99, expiry + silentMs)).toEqual([])
      expect(await store.queued()).toBe(0)
    })

    it("is dropped without a tombstone if it was never accepted", async () => {
      const { store } = backend()
      const { id, chunks, extent, upload } = stage(store)
      await upload()
      const expiry = start + lifeMs
      for (let found = 1; found > 0;) found = await sweep(expiry)
      expect(await store.find(id, expiry)).toBeUndefined()
      expect(await store.append(id, chunks, expiry)).toBe(false)
      expect(await store.close(id, extent, noLimits, undefined, expiry)).toEqual({ _tag: "gone" })
    })

    it("is one of at most `limit` that a call deletes", async () => {
      const { store } = backend()
      const jobs = await Promise.all(Array.from({ length: 7 }, () => accepted(store, { chunks: chunksOf(1, 1) })))
      for (const { id } of jobs) await store.cancel(id, keepMs, start)
      const expiry = start + keepMs
      const counts: Array<number> = []
      for (let found = 1; found > 0;) counts.push((found = await sweep(expiry, 3)))
      expect(counts.reduce((sum, each) => sum + each, 0)).toBe(7)
      expect(Math.max(...counts)).toBeLessThanOrEqual(3)
      for (const { id } of jobs) expect(await store.find(id, expiry)).toMatchObject({ state: "forgotten" })
    })
  })
}

const sorted = <Ref extends { readonly chunk: number }>(found: ReadonlyArray<Ref>): ReadonlyArray<Ref> =>
  [...found].sort((left, right) => left.chunk - right.chunk)
