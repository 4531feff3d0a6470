/** Claims of a key in each of its states. */
import { describe, expect, it } from "vitest"
import { newHash, leaseMs, pendingTtlMs, resultTtlMs, type Backend, newKey, start } from "./Fixture.ts"

/** Declares the cases. */
export const claims = (backend: () => Backend): void => {
  describe("claiming", () => {
    it("claims an unknown key", async () => {
      const { newOwner, peek } = newKey(backend().store)
      expect(await peek(start)).toBeUndefined()
      expect(await newOwner().acquire(start)).toEqual({ _tag: "fresh", fence: 1 })
      expect(await peek(start)).toEqual({ state: "pending", fence: 1, leaseLeftMs: leaseMs })
    })

    it("answers `mine`, with the journal, to an owner that repeats its claim", async () => {
      const { newOwner, peek } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      expect(await owner.acquire(start + 1)).toEqual({ _tag: "mine", fence: 1, journal: "" })
      await owner.append(start + 1, 0, "one")
      expect(await owner.acquire(start + 2)).toEqual({ _tag: "mine", fence: 1, journal: "one" })
      expect(await peek(start + 2)).toMatchObject({ fence: 1 })
    })

    it("restarts the lease for an owner that repeats its claim, even after the lease ended", async () => {
      const { newOwner, peek } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      const afterLease = start + leaseMs + 1
      expect(await owner.acquire(afterLease)).toMatchObject({ _tag: "mine" })
      expect(await peek(afterLease)).toEqual({ state: "pending", fence: 1, leaseLeftMs: leaseMs })
      expect(await owner.complete(start + pendingTtlMs + 1, "{}")).toBe("applied")
    })

    it.each([
      ["a millisecond before it ends", leaseMs - 1],
      ["when it starts", 0],
    ])("tells another owner how long the lease lasts, %s", async (_, passed) => {
      const { newOwner } = newKey(backend().store)
      await newOwner().acquire(start)
      const answer = await newOwner().acquire(start + passed)
      expect(answer).toEqual({ _tag: "in-progress", retryAfterMs: leaseMs - passed })
    })

    it.each([
      ["at", leaseMs],
      ["a millisecond after", leaseMs + 1],
    ])("lets another owner take over %s the end of the lease, with a higher fence", async (_, passed) => {
      const { newOwner, peek } = newKey(backend().store)
      await newOwner().acquire(start)
      const now = start + passed
      expect(await newOwner().acquire(now)).toEqual({ _tag: "taken-over", fence: 2, journal: "" })
      expect(await peek(now)).toEqual({ state: "pending", fence: 2, leaseLeftMs: leaseMs })
    })

    it("returns the journal to an owner that takes over, and lets it append", async () => {
      const { newOwner } = newKey(backend().store)
      const [first, second, third] = [newOwner(), newOwner(), newOwner()]
      await first.acquire(start)
      await first.append(start, 0, "ab")
      const leaseEnd = start + leaseMs
      expect(await second.acquire(leaseEnd)).toEqual({ _tag: "taken-over", fence: 2, journal: "ab" })
      expect(await second.append(leaseEnd, 2, "c")).toBe("applied")
      expect(await third.acquire(leaseEnd + leaseMs)).toEqual({ _tag: "taken-over", fence: 3, journal: "abc" })
      expect(await third.acquire(leaseEnd + leaseMs)).toEqual({ _tag: "mine", fence: 3, journal: "abc" })
    })

    it("replays a result to every owner, including the one that stored it", async () => {
      const { newOwner } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      await owner.append(start, 0, "journal")
      expect(await owner.complete(start, '{"id":1}')).toBe("applied")
      for (const reader of [owner, newOwner(), newOwner(backend().other)]) {
        expect(await reader.acquire(start + 1)).toEqual({ _tag: "replay", result: '{"id":1}' })
      }
    })

    it("lets no owner take over a held claim, which is indeterminate when its lease has ended", async () => {
      const { newOwner, peek } = newKey(backend().store)
      await newOwner().acquire(start, "hold")
      expect(await peek(start)).toEqual({ state: "held", fence: 1, leaseLeftMs: leaseMs })
      const answer = await newOwner().acquire(start + leaseMs - 1, "hold")
      expect(answer).toEqual({ _tag: "in-progress", retryAfterMs: 1 })
      for (const mode of ["hold", "retry"] as const) {
        expect(await newOwner().acquire(start + leaseMs, mode)).toEqual({ _tag: "indeterminate" })
      }
      expect(await peek(start + leaseMs)).toEqual({ state: "held", fence: 1, leaseLeftMs: 0 })
    })

    it("holds a claim that is taken over in the mode `hold`", async () => {
      const { newOwner } = newKey(backend().store)
      await newOwner().acquire(start)
      expect(await newOwner().acquire(start + leaseMs, "hold")).toMatchObject({ _tag: "taken-over", fence: 2 })
      expect(await newOwner().acquire(start + 2 * leaseMs)).toEqual({ _tag: "indeterminate" })
    })

    it("compares the fingerprint first, in every state", async () => {
      const { newOwner } = newKey(backend().store)
      const owner = newOwner()
      const expectMismatch = async (now: number) =>
        expect(await newOwner(undefined, newHash()).acquire(now)).toEqual({ _tag: "mismatch" })
      await owner.acquire(start, "hold")
      await expectMismatch(start)
      await expectMismatch(start + leaseMs)
      await owner.complete(start + leaseMs, "{}")
      await expectMismatch(start + leaseMs)
      const pending = newKey(backend().store)
      await pending.newOwner().acquire(start)
      for (const now of [start, start + leaseMs]) {
        expect(await pending.newOwner(undefined, newHash()).acquire(now)).toEqual({ _tag: "mismatch" })
      }
    })

    it("answers `mismatch` even to the owner of the claim", async () => {
      const { store } = backend()
      const { key, newOwner } = newKey(store)
      const owner = newOwner()
      await owner.acquire(start)
      const again = { owner: owner.owner, leaseMs, pendingTtlMs, resultTtlMs, now: start }
      expect(await store.acquire([{ key, fingerprint: newHash(), mode: "retry" }], again)).toEqual([
        { _tag: "mismatch" },
      ])
    })

    it("changes neither state nor lease nor expiry when it refuses a claim", async () => {
      const { newOwner, peek } = newKey(backend().store)
      await newOwner().acquire(start)
      const before = await peek(start + leaseMs - 1)
      await newOwner().acquire(start + leaseMs - 1)
      await newOwner(undefined, newHash()).acquire(start + leaseMs - 1)
      expect(await peek(start + leaseMs - 1)).toEqual(before)
      expect(await peek(start + pendingTtlMs - 1)).toMatchObject({ state: "pending" })
      expect(await peek(start + pendingTtlMs)).toBeUndefined()
    })

    it("changes nothing when it answers `indeterminate`", async () => {
      const { newOwner, peek } = newKey(backend().store)
      await newOwner().acquire(start, "hold")
      await newOwner().acquire(start + leaseMs)
      expect(await peek(start + leaseMs)).toEqual({ state: "held", fence: 1, leaseLeftMs: 0 })
      expect(await peek(start + pendingTtlMs)).toBeUndefined()
    })

    it("does not postpone the expiry of a result that it replays", async () => {
      const { newOwner, peek } = newKey(backend().store)
      const owner = newOwner()
      await owner.acquire(start)
      await owner.complete(start, "{}")
      await newOwner().acquire(start + resultTtlMs - 1)
      expect(await peek(start + resultTtlMs)).toBeUndefined()
    })
  })
}
