/** Leases and expiry, by the time that tests send and by the store's own clock. */
import { describe, expect, it } from "vitest"
import type { IdempotencyTimes } from "../../idempotency/IdempotencyStore.ts"
import {
  type Backend,
  claim,
  newHash,
  newHashes,
  leaseMs,
  newOwnerId,
  only,
  pendingTtlMs,
  purgeAll,
  resultTtlMs,
  newKey,
  start,
  times,
  comparable,
} from "./Fixture.ts"

/** Milliseconds by the store's own clock: long enough for a few calls, and short enough to wait for. */
const shortTimes = { leaseMs: 1_500, pendingTtlMs: 3_000, resultTtlMs: 1_500 }

/** How a store keeps time and removes expired records. */
export interface TimeOptions {
  readonly advance: (ms: number) => Promise<unknown>
  readonly purges: boolean
}

/** Declares the cases. */
export const time = (backend: () => Backend, { advance, purges }: TimeOptions): void => {
  describe("time", () => {
    it("expires a claim without a result at its time, not before", async () => {
      const { newOwner, peek } = newKey(backend().store)
      await newOwner().acquire(start)
      expect(await peek(start + pendingTtlMs - 1)).toMatchObject({ state: "pending" })
      expect(await peek(start + pendingTtlMs)).toBeUndefined()
      expect(await newOwner(undefined, newHash()).acquire(start + pendingTtlMs)).toEqual({ _tag: "fresh", fence: 1 })
    })

    it("counts the time of a result from its completion", async () => {
      const { newOwner } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      const completed = start + leaseMs - 1
      await owner.complete(completed, "{}")
      expect(await newOwner().acquire(completed + resultTtlMs - 1)).toEqual({ _tag: "replay", result: "{}" })
      expect(await newOwner().acquire(completed + resultTtlMs)).toEqual({ _tag: "fresh", fence: 1 })
    })

    it("does not postpone the expiry of a result that is sent again", async () => {
      const { newOwner, peek } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      await owner.complete(start, "{}")
      expect(await owner.complete(start + resultTtlMs - 1, "{}")).toBe("already")
      expect(await peek(start + resultTtlMs)).toBeUndefined()
    })

    it("expires a tombstone at its time, counted from the release", async () => {
      const { newOwner, peek } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      await owner.release(start + 5)
      await owner.release(start + 10)
      expect(comparable(await peek(start + 5 + pendingTtlMs - 1))).toEqual({ state: "released", fence: 1 })
      expect(await peek(start + 5 + pendingTtlMs)).toBeUndefined()
    })

    it("treats expired records as absent before they are purged", async () => {
      const { store } = backend()
      const { newOwner, peek } = newKey(store)
      const owner = newOwner()
      await owner.acquire(start)
      const late = start + pendingTtlMs
      expect(await owner.extend(late)).toBe("refused")
      expect(await owner.append(late, 0, "a")).toBe("refused")
      expect(await owner.release(late)).toBe("already")
      expect(await peek(late)).toBeUndefined()
      expect(await owner.complete(late, "late")).toBe("recreated")
      expect(await newOwner().acquire(late)).toEqual({ _tag: "replay", result: "late" })
    })

    it("lets an owner claim its key again when the record has expired", async () => {
      const { newOwner } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      await owner.append(start, 0, "old")
      expect(await owner.acquire(start + pendingTtlMs)).toEqual({ _tag: "fresh", fence: 1 })
      expect(await owner.acquire(start + pendingTtlMs)).toEqual({ _tag: "mine", fence: 1, journal: "" })
    })

    it("purges expired records in steps and no others, unless it expires them by itself", async () => {
      const { store } = backend()
      await purgeAll(store)
      const owner = times(newOwnerId(), start)
      await store.acquire(
        newHashes(5).map((key) => claim(key, newHash())),
        owner,
      )
      const { key, newOwner } = newKey(store)
      await newOwner().acquire(start + 1)
      const late = start + pendingTtlMs
      const purged: Array<number> = []
      for (let step = 0; step < 4; step++) purged.push(await store.purge(2, late))
      expect(purged).toEqual(purges ? [2, 2, 1, 0] : [0, 0, 0, 0])
      expect(await store.peek(key, late)).toMatchObject({ state: "pending" })
    })

    it("ends a lease by its own clock, and another owner takes over", async () => {
      const { store, other = store } = backend()
      const [key, fingerprint] = [newHash(), newHash()]
      const acquire = async (client: typeof store) =>
        only(await client.acquire([claim(key, fingerprint)], byStoreClock()))
      expect(await acquire(store)).toEqual({ _tag: "fresh", fence: 1 })
      const rival = await acquire(other)
      expect(rival).toMatchObject({ _tag: "in-progress" })
      const { retryAfterMs } = rival as { readonly retryAfterMs: number }
      expect(retryAfterMs).toBeGreaterThan(0)
      expect(retryAfterMs).toBeLessThanOrEqual(shortTimes.leaseMs)
      await advance(retryAfterMs + 5)
      expect(await acquire(other)).toEqual({ _tag: "taken-over", fence: 2, journal: "" })
      expect((await store.peek(key))?.leaseLeftMs).toBeGreaterThan(0)
    })

    it("expires claims, results and tombstones by its own clock", async () => {
      const { store } = backend()
      const fingerprint = newHash()
      const keys = newHashes(3)
      const owner = byStoreClock()
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
      await advance(shortTimes.resultTtlMs + 20)
      expect(await states()).toEqual([undefined, "released", "pending"])
      await advance(shortTimes.pendingTtlMs - shortTimes.resultTtlMs)
      expect(await states()).toEqual([undefined, undefined, undefined])
    })

    it("extends a lease by its own clock", async () => {
      const { store } = backend()
      const [key, fingerprint] = [newHash(), newHash()]
      const owner = byStoreClock()
      await store.acquire([claim(key, fingerprint)], owner)
      for (let beat = 0; beat < 3; beat++) {
        await advance(shortTimes.leaseMs / 2)
        const items = [{ key, fingerprint, action: { _tag: "extend" } as const }]
        expect(await store.settle(items, owner)).toEqual(["applied"])
        expect(await store.acquire([claim(key, fingerprint)], byStoreClock())).toMatchObject([{ _tag: "in-progress" }])
      }
    })
  })
}

const byStoreClock = (): IdempotencyTimes => ({ owner: newOwnerId(), ...shortTimes })
