/** Owners that return when their lease has ended: they change nothing that happened since. */
import { describe, expect, it } from "vitest"
import { type Backend, newHash, leaseMs, pendingTtlMs, newKey, start, comparable } from "./Fixture.ts"
import { expectAllRefused } from "./settling.ts"

/** Declares the cases. */
export const fencing = (backend: () => Backend): void => {
  describe("owners whose lease has ended", () => {
    it("cannot change the claim of an owner that took over", async () => {
      const { store, other } = backend()
      const { newOwner, peek } = newKey(store)
      const [former, successor] = [newOwner(other), newOwner()]
      await former.acquire(start)
      await former.append(start, 0, "a")
      const now = start + leaseMs
      await successor.acquire(now)
      await expectAllRefused(former, now, 1)
      expect(await peek(now)).toEqual({ state: "pending", fence: 2, leaseLeftMs: leaseMs })
      expect(await successor.acquire(now)).toMatchObject({ _tag: "mine", journal: "a" })
      expect(await former.acquire(now)).toMatchObject({ _tag: "in-progress" })
    })

    it("cannot change the result of an owner that took over", async () => {
      const { newOwner } = newKey(backend().store)
      const [former, successor] = [newOwner(), newOwner()]
      await former.acquire(start)
      const now = start + leaseMs
      await successor.acquire(now)
      await successor.complete(now, "next")
      await expectAllRefused(former, now, 0)
      expect(await former.acquire(now)).toEqual({ _tag: "replay", result: "next" })
    })

    it("cannot change anything after an owner that took over has released the key", async () => {
      const { newOwner, peek } = newKey(backend().store)
      const [former, successor] = [newOwner(), newOwner()]
      await former.acquire(start)
      await former.append(start, 0, "a")
      const now = start + leaseMs
      await successor.acquire(now)
      await successor.release(now)
      await expectAllRefused(former, now, 1)
      await expectAllRefused(former, now + pendingTtlMs - 1, 1)
      expect(comparable(await peek(now + pendingTtlMs - 1))).toEqual({ state: "released", fence: 2 })
      expect(await newOwner().acquire(now)).toEqual({ _tag: "fresh", fence: 3 })
    })

    it("cannot change anything after the key was released and used for another request", async () => {
      const { newOwner } = newKey(backend().store)
      const [former, successor, third] = [newOwner(), newOwner(), newOwner(undefined, newHash())]
      await former.acquire(start)
      const now = start + leaseMs
      await successor.acquire(now)
      await successor.release(now)
      expect(await third.acquire(now)).toEqual({ _tag: "fresh", fence: 3 })
      await expectAllRefused(former, now, 0)
      await expectAllRefused(successor, now, 0)
      expect(await third.complete(now, "third")).toBe("applied")
      expect(await third.acquire(now)).toEqual({ _tag: "replay", result: "third" })
    })

    it("take their claim back with a higher fence when the lease of their successor has ended too", async () => {
      const { newOwner } = newKey(backend().store)
      const [former, successor] = [newOwner(), newOwner()]
      await former.acquire(start)
      await successor.acquire(start + leaseMs)
      expect(await former.acquire(start + 2 * leaseMs)).toEqual({ _tag: "taken-over", fence: 3, journal: "" })
      await expectAllRefused(successor, start + 2 * leaseMs, 0)
    })
  })
}
