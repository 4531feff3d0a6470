/** Looking at records, and deciding what became of those of which nobody knows. */
import { describe, expect, it } from "vitest"
import { type Backend, hash, leaseMs, pendingTtlMs, resultTtlMs, stage, start, visible } from "./Fixture.ts"
import { refusesAll } from "./settling.ts"

const decision = { result: "decided", resultTtlMs: 1_000_000 }

/** Declares the cases. */
export const operators = (backend: () => Backend): void => {
  describe("operators", () => {
    it("see the state, the fence and what is left of the lease, and change nothing by looking", async () => {
      const { actor, peek } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      expect(await peek(start + leaseMs + 7)).toEqual({ state: "pending", fence: 1, leaseLeftMs: -7 })
      expect(await peek(start + leaseMs + 7)).toEqual({ state: "pending", fence: 1, leaseLeftMs: -7 })
      await owner.complete(start + leaseMs + 7, "{}")
      expect(visible(await peek(start + leaseMs + 7))).toEqual({ state: "done", fence: 1 })
      expect(await peek(start + leaseMs + 7 + resultTtlMs)).toBeUndefined()
    })

    it("settle what is indeterminate with a result, which is remembered as long as they say", async () => {
      const { store } = backend()
      const { key, actor, peek } = stage(store)
      const owner = actor()
      await owner.acquire(start, "hold")
      await owner.append(start, 0, "journal")
      const now = start + leaseMs
      expect(await store.resolve(key, decision, now)).toBe(true)
      expect(await store.resolve(key, decision, now)).toBe(false)
      expect(await store.resolve(key, "forget", now)).toBe(false)
      const last = now + decision.resultTtlMs - 1
      expect(await actor().acquire(last)).toEqual({ _tag: "replay", result: "decided" })
      expect(visible(await peek(last))).toEqual({ state: "done", fence: 1 })
      expect(await peek(last + 1)).toBeUndefined()
    })

    it("free what is indeterminate by forgetting it", async () => {
      const { store } = backend()
      const { key, actor, peek } = stage(store)
      const owner = actor()
      await owner.acquire(start, "hold")
      await owner.append(start, 0, "journal")
      const now = start + leaseMs
      expect(await store.resolve(key, "forget", now)).toBe(true)
      expect(await store.resolve(key, "forget", now)).toBe(false)
      expect(visible(await peek(now))).toEqual({ state: "released", fence: 1 })
      const next = actor(undefined, hash())
      expect(await next.acquire(now)).toEqual({ _tag: "fresh", fence: 2 })
      expect(await next.acquire(now)).toEqual({ _tag: "mine", fence: 2, journal: "" })
    })

    it.each([decision, "forget"] as const)("shut out the owner that they gave up on: %j", async (decided) => {
      const { store } = backend()
      const { key, actor, peek } = stage(store)
      const owner = actor()
      await owner.acquire(start, "hold")
      const now = start + leaseMs
      await store.resolve(key, decided, now)
      const before = await peek(now)
      await refusesAll(owner, now, 0)
      expect(await peek(now)).toEqual(before)
    })

    it("cannot decide about anything else", async () => {
      const { store } = backend()
      const resolves = async (key: string, now: number) => [
        await store.resolve(key, decision, now),
        await store.resolve(key, "forget", now),
      ]
      const { key, actor, peek } = stage(store)
      expect(await resolves(key, start)).toEqual([false, false])
      const owner = actor()
      await owner.acquire(start, "hold")
      expect(await resolves(key, start + leaseMs - 1)).toEqual([false, false])
      await owner.release(start)
      expect(await resolves(key, start + leaseMs)).toEqual([false, false])
      await owner.acquire(start)
      expect(await resolves(key, start + leaseMs)).toEqual([false, false])
      await owner.complete(start, "{}")
      expect(await resolves(key, start + leaseMs)).toEqual([false, false])
      expect(visible(await peek(start))).toEqual({ state: "done", fence: 2 })
      const over = stage(store)
      await over.actor().acquire(start, "hold")
      expect(await resolves(over.key, start + pendingTtlMs)).toEqual([false, false])
    })
  })
}
