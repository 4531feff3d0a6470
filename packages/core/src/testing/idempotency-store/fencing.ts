/** Owners who come back when their lease is over: whatever happened since stays as it is. */
import { describe, expect, it } from "vitest"
import { type Backend, hash, leaseMs, pendingTtlMs, stage, start, visible } from "./Fixture.ts"
import { refusesAll } from "./settling.ts"

/** Declares the cases. */
export const fencing = (backend: () => Backend): void => {
  describe("owners whose lease is over", () => {
    it("cannot touch the claim of whoever took over", async () => {
      const { store, other } = backend()
      const { actor, peek } = stage(store)
      const [old, next] = [actor(other), actor()]
      await old.acquire(start)
      await old.append(start, 0, "a")
      const now = start + leaseMs
      await next.acquire(now)
      await refusesAll(old, now, 1)
      expect(await peek(now)).toEqual({ state: "pending", fence: 2, leaseLeftMs: leaseMs })
      expect(await next.acquire(now)).toMatchObject({ _tag: "mine", journal: "a" })
      expect(await old.acquire(now)).toMatchObject({ _tag: "in-progress" })
    })

    it("cannot touch the result of whoever took over", async () => {
      const { actor } = stage(backend().store)
      const [old, next] = [actor(), actor()]
      await old.acquire(start)
      const now = start + leaseMs
      await next.acquire(now)
      await next.complete(now, "next")
      await refusesAll(old, now, 0)
      expect(await old.acquire(now)).toEqual({ _tag: "replay", result: "next" })
    })

    it("cannot do anything after whoever took over released", async () => {
      const { actor, peek } = stage(backend().store)
      const [old, next] = [actor(), actor()]
      await old.acquire(start)
      await old.append(start, 0, "a")
      const now = start + leaseMs
      await next.acquire(now)
      await next.release(now)
      await refusesAll(old, now, 1)
      await refusesAll(old, now + pendingTtlMs - 1, 1)
      expect(visible(await peek(now + pendingTtlMs - 1))).toEqual({ state: "released", fence: 2 })
      expect(await actor().acquire(now)).toEqual({ _tag: "fresh", fence: 3 })
    })

    it("cannot do anything after the key was released and used for another thing", async () => {
      const { actor } = stage(backend().store)
      const [old, next, third] = [actor(), actor(), actor(undefined, hash())]
      await old.acquire(start)
      const now = start + leaseMs
      await next.acquire(now)
      await next.release(now)
      expect(await third.acquire(now)).toEqual({ _tag: "fresh", fence: 3 })
      await refusesAll(old, now, 0)
      await refusesAll(next, now, 0)
      expect(await third.complete(now, "third")).toBe("applied")
      expect(await third.acquire(now)).toEqual({ _tag: "replay", result: "third" })
    })

    it("get their own claim back with a higher fence when the successor's lease is over as well", async () => {
      const { actor } = stage(backend().store)
      const [old, next] = [actor(), actor()]
      await old.acquire(start)
      await next.acquire(start + leaseMs)
      expect(await old.acquire(start + 2 * leaseMs)).toEqual({ _tag: "taken-over", fence: 3, journal: "" })
      await refusesAll(next, start + 2 * leaseMs, 0)
    })
  })
}
