/** Reading records, and deciding the outcome of indeterminate keys. */
import { describe, expect, it } from "vitest"
import { type Backend, newHash, leaseMs, pendingTtlMs, resultTtlMs, newKey, start, comparable } from "./Fixture.ts"
import { expectAllRefused } from "./settling.ts"

const decision = { result: "decided", resultTtlMs: 1_000_000 }

/** Declares the cases. */
export const operators = (backend: () => Backend): void => {
  describe("operators", () => {
    it("read the state, the fence and the rest of the lease, and change nothing by reading", async () => {
      const { newOwner, peek } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      expect(await peek(start + leaseMs + 7)).toEqual({ state: "pending", fence: 1, leaseLeftMs: -7 })
      expect(await peek(start + leaseMs + 7)).toEqual({ state: "pending", fence: 1, leaseLeftMs: -7 })
      await owner.complete(start + leaseMs + 7, "{}")
      expect(comparable(await peek(start + leaseMs + 7))).toEqual({ state: "done", fence: 1 })
      expect(await peek(start + leaseMs + 7 + resultTtlMs)).toBeUndefined()
    })

    it("decide an indeterminate key by a result, which expires when they say", async () => {
      const { store } = backend()
      const { key, newOwner, peek } = newKey(store)
      const owner = newOwner()
      await owner.acquire(start, "hold")
      await owner.append(start, 0, "journal")
      const now = start + leaseMs
      expect(await store.resolve(key, decision, now)).toBe(true)
      expect(await store.resolve(key, decision, now)).toBe(false)
      expect(await store.resolve(key, "forget", now)).toBe(false)
      const last = now + decision.resultTtlMs - 1
      expect(await newOwner().acquire(last)).toEqual({ _tag: "replay", result: "decided" })
      expect(comparable(await peek(last))).toEqual({ state: "done", fence: 1 })
      expect(await peek(last + 1)).toBeUndefined()
    })

    it("free an indeterminate key by forgetting it", async () => {
      const { store } = backend()
      const { key, newOwner, peek } = newKey(store)
      const owner = newOwner()
      await owner.acquire(start, "hold")
      await owner.append(start, 0, "journal")
      const now = start + leaseMs
      expect(await store.resolve(key, "forget", now)).toBe(true)
      expect(await store.resolve(key, "forget", now)).toBe(false)
      expect(comparable(await peek(now))).toEqual({ state: "released", fence: 1 })
      const next = newOwner(undefined, newHash())
      expect(await next.acquire(now)).toEqual({ _tag: "fresh", fence: 2 })
      expect(await next.acquire(now)).toEqual({ _tag: "mine", fence: 2, journal: "" })
    })

    it.each([decision, "forget"] as const)("exclude the former owner by their decision: %j", async (outcome) => {
      const { store } = backend()
      const { key, newOwner, peek } = newKey(store)
      const owner = newOwner()
      await owner.acquire(start, "hold")
      const now = start + leaseMs
      await store.resolve(key, outcome, now)
      const before = await peek(now)
      await expectAllRefused(owner, now, 0)
      expect(await peek(now)).toEqual(before)
    })

    it("cannot decide a key in any other state", async () => {
      const { store } = backend()
      const resolves = async (key: string, now: number) => [
        await store.resolve(key, decision, now),
        await store.resolve(key, "forget", now),
      ]
      const { key, newOwner, peek } = newKey(store)
      expect(await resolves(key, start)).toEqual([false, false])
      const owner = newOwner()
      await owner.acquire(start, "hold")
      expect(await resolves(key, start + leaseMs - 1)).toEqual([false, false])
      await owner.release(start)
      expect(await resolves(key, start + leaseMs)).toEqual([false, false])
      await owner.acquire(start)
      expect(await resolves(key, start + leaseMs)).toEqual([false, false])
      await owner.complete(start, "{}")
      expect(await resolves(key, start + leaseMs)).toEqual([false, false])
      expect(comparable(await peek(start))).toEqual({ state: "done", fence: 2 })
      const expired = newKey(store)
      await expired.newOwner().acquire(start, "hold")
      expect(await resolves(expired.key, start + pendingTtlMs)).toEqual([false, false])
    })
  })
}
