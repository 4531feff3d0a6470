/** How long records are remembered, by a clock that the tests set and by the store's own. */
import { describe, expect, it } from "vitest"
import type { IdempotencyTimes } from "../../idempotency/IdempotencyStore.ts"
import {
  type Backend,
  claim,
  hash,
  hashes,
  leaseMs,
  makeOwner,
  only,
  pendingTtlMs,
  purgeAll,
  resultTtlMs,
  stage,
  start,
  times,
  visible,
} from "./Fixture.ts"

/** Milliseconds by the store's own clock: short enough to wait for, long enough for calls to be over before. */
const own = { leaseMs: 1_500, pendingTtlMs: 3_000, resultTtlMs: 1_500 }

/** How time passes, and what becomes of what is over. */
export interface TimeOptions {
  readonly advance: (ms: number) => Promise<unknown>
  readonly purges: boolean
}

/** Declares the cases. */
export const time = (backend: () => Backend, { advance, purges }: TimeOptions): void => {
  describe("time", () => {
    it("forgets a claim without a result when its time is over, not before", async () => {
      const { actor, peek } = stage(backend().store)
      await actor().acquire(start)
      expect(await peek(start + pendingTtlMs - 1)).toMatchObject({ state: "pending" })
      expect(await peek(start + pendingTtlMs)).toBeUndefined()
      expect(await actor(undefined, hash()).acquire(start + pendingTtlMs)).toEqual({ _tag: "fresh", fence: 1 })
    })

    it("counts the time of a result from its completion", async () => {
      const { actor } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      const completed = start + leaseMs - 1
      await owner.complete(completed, "{}")
      expect(await actor().acquire(completed + resultTtlMs - 1)).toEqual({ _tag: "replay", result: "{}" })
      expect(await actor().acquire(completed + resultTtlMs)).toEqual({ _tag: "fresh", fence: 1 })
    })

    it("does not count the time of a result anew when it is sent again", async () => {
      const { actor, peek } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      await owner.complete(start, "{}")
      expect(await owner.complete(start + resultTtlMs - 1, "{}")).toBe("already")
      expect(await peek(start + resultTtlMs)).toBeUndefined()
    })

    it("forgets a tombstone when its time is over, counted from the release", async () => {
      const { actor, peek } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      await owner.release(start + 5)
      await owner.release(start + 10)
      expect(visible(await peek(start + 5 + pendingTtlMs - 1))).toEqual({ state: "released", fence: 1 })
      expect(await peek(start + 5 + pendingTtlMs)).toBeUndefined()
    })

    it("treats what is over as absent though it was not purged", async () => {
      const { store } = backend()
      const { actor, peek } = stage(store)
      const owner = actor()
      await owner.acquire(start)
      const late = start + pendingTtlMs
      expect(await owner.extend(late)).toBe("refused")
      expect(await owner.append(late, 0, "a")).toBe("refused")
      expect(await owner.release(late)).toBe("already")
      expect(await peek(late)).toBeUndefined()
      expect(await owner.complete(late, "late")).toBe("recreated")
      expect(await actor().acquire(late)).toEqual({ _tag: "replay", result: "late" })
    })

    it("lets an owner whose record is over begin again", async () => {
      const { actor } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      await owner.append(start, 0, "old")
      expect(await owner.acquire(start + pendingTtlMs)).toEqual({ _tag: "fresh", fence: 1 })
      expect(await owner.acquire(start + pendingTtlMs)).toEqual({ _tag: "mine", fence: 1, journal: "" })
    })

    it("purges what is over in steps, and nothing else, unless it forgets by itself", async () => {
      const { store } = backend()
      await purgeAll(store)
      const owner = times(makeOwner(), start)
      await store.acquire(
        hashes(5).map((key) => claim(key, hash())),
        owner,
      )
      const { key, actor } = stage(store)
      await actor().acquire(start + 1)
      const late = start + pendingTtlMs
      const purged: Array<number> = []
      for (let step = 0; step < 4; step++) purged.push(await store.purge(2, late))
      expect(purged).toEqual(purges ? [2, 2, 1, 0] : [0, 0, 0, 0])
      expect(await store.peek(key, late)).toMatchObject({ state: "pending" })
    })

    it("keeps time itself: a lease ends and another owner takes over", async () => {
      const { store, other = store } = backend()
      const [key, fingerprint] = [hash(), hash()]
      const acquire = async (client: typeof store) => only(await client.acquire([claim(key, fingerprint)], live()))
      expect(await acquire(store)).toEqual({ _tag: "fresh", fence: 1 })
      const rival = await acquire(other)
      expect(rival).toMatchObject({ _tag: "in-progress" })
      const { retryAfterMs } = rival as { readonly retryAfterMs: number }
      expect(retryAfterMs).toBeGreaterThan(0)
      expect(retryAfterMs).toBeLessThanOrEqual(own.leaseMs)
      await advance(retryAfterMs + 5)
      expect(await acquire(other)).toEqual({ _tag: "taken-over", fence: 2, journal: "" })
      expect((await store.peek(key))?.leaseLeftMs).toBeGreaterThan(0)
    })

    it("keeps time itself: claims, results and tombstones are forgotten", async () => {
      const { store } = backend()
      const fingerprint = hash()
      const keys = hashes(3)
      const owner = live()
      await store.acquire(
        keys.map((key) => claim(key, fingerprint)),
        owner,
      )
      const settled = await store.settle(
        [
          { key: keys[0]!, fingerprint, action: { _tag: "complete", result: "{}" } },
          { key: keys[1]!, fingerprint, action: { _tag: "release" } },
        ],
        owner,
      )
      expect(settled).toEqual(["applied", "applied"])
      const states = async () => (await Promise.all(keys.map((key) => store.peek(key)))).map((record) => record?.state)
      expect(await states()).toEqual(["done", "released", "pending"])
      await advance(own.resultTtlMs + 20)
      expect(await states()).toEqual([undefined, "released", "pending"])
      await advance(own.pendingTtlMs - own.resultTtlMs)
      expect(await states()).toEqual([undefined, undefined, undefined])
    })

    it("keeps time itself: extending keeps a claim beyond the time of its first lease", async () => {
      const { store } = backend()
      const [key, fingerprint] = [hash(), hash()]
      const owner = live()
      await store.acquire([claim(key, fingerprint)], owner)
      for (let beat = 0; beat < 3; beat++) {
        await advance(own.leaseMs / 2)
        const items = [{ key, fingerprint, action: { _tag: "extend" } as const }]
        expect(await store.settle(items, owner)).toEqual(["applied"])
        expect(await store.acquire([claim(key, fingerprint)], live())).toMatchObject([{ _tag: "in-progress" }])
      }
    })
  })
}

const live = (): IdempotencyTimes => ({ owner: makeOwner(), ...own })
