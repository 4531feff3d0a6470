/** What claiming a key answers, for each thing that may be known about it. */
import { describe, expect, it } from "vitest"
import { hash, leaseMs, pendingTtlMs, resultTtlMs, type Backend, stage, start } from "./Fixture.ts"

/** Declares the cases. */
export const claims = (backend: () => Backend): void => {
  describe("claiming", () => {
    it("claims a key of which nothing is known", async () => {
      const { actor, peek } = stage(backend().store)
      expect(await peek(start)).toBeUndefined()
      expect(await actor().acquire(start)).toEqual({ _tag: "fresh", fence: 1 })
      expect(await peek(start)).toEqual({ state: "pending", fence: 1, leaseLeftMs: leaseMs })
    })

    it("answers an owner who asks again that the claim is its own, with what it journalled", async () => {
      const { actor, peek } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      expect(await owner.acquire(start + 1)).toEqual({ _tag: "mine", fence: 1, journal: "" })
      await owner.append(start + 1, 0, "one")
      expect(await owner.acquire(start + 2)).toEqual({ _tag: "mine", fence: 1, journal: "one" })
      expect(await peek(start + 2)).toMatchObject({ fence: 1 })
    })

    it("begins the lease anew for an owner who asks again, even after it ended", async () => {
      const { actor, peek } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      const late = start + leaseMs + 1
      expect(await owner.acquire(late)).toMatchObject({ _tag: "mine" })
      expect(await peek(late)).toEqual({ state: "pending", fence: 1, leaseLeftMs: leaseMs })
      expect(await owner.complete(start + pendingTtlMs + 1, "{}")).toBe("applied")
    })

    it.each([
      ["a millisecond before its end", leaseMs - 1],
      ["at its beginning", 0],
    ])("tells a rival how long a lease lasts yet, %s", async (_, passed) => {
      const { actor } = stage(backend().store)
      await actor().acquire(start)
      const answer = await actor().acquire(start + passed)
      expect(answer).toEqual({ _tag: "in-progress", retryAfterMs: leaseMs - passed })
    })

    it.each([
      ["at", leaseMs],
      ["a millisecond after", leaseMs + 1],
    ])("lets a rival take over %s the end of the lease, with a higher fence", async (_, passed) => {
      const { actor, peek } = stage(backend().store)
      await actor().acquire(start)
      const now = start + passed
      expect(await actor().acquire(now)).toEqual({ _tag: "taken-over", fence: 2, journal: "" })
      expect(await peek(now)).toEqual({ state: "pending", fence: 2, leaseLeftMs: leaseMs })
    })

    it("hands the journal to whoever takes over, and lets it go on there", async () => {
      const { actor } = stage(backend().store)
      const [first, second, third] = [actor(), actor(), actor()]
      await first.acquire(start)
      await first.append(start, 0, "ab")
      const then = start + leaseMs
      expect(await second.acquire(then)).toEqual({ _tag: "taken-over", fence: 2, journal: "ab" })
      expect(await second.append(then, 2, "c")).toBe("applied")
      expect(await third.acquire(then + leaseMs)).toEqual({ _tag: "taken-over", fence: 3, journal: "abc" })
      expect(await third.acquire(then + leaseMs)).toEqual({ _tag: "mine", fence: 3, journal: "abc" })
    })

    it("replays a result to everybody, its owner included", async () => {
      const { actor } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      await owner.append(start, 0, "journal")
      expect(await owner.complete(start, '{"id":1}')).toBe("applied")
      for (const who of [owner, actor(), actor(backend().other)]) {
        expect(await who.acquire(start + 1)).toEqual({ _tag: "replay", result: '{"id":1}' })
      }
    })

    it("lets nobody take over a claim that is held, and calls it indeterminate from the end of its lease", async () => {
      const { actor, peek } = stage(backend().store)
      await actor().acquire(start, "hold")
      expect(await peek(start)).toEqual({ state: "held", fence: 1, leaseLeftMs: leaseMs })
      const answer = await actor().acquire(start + leaseMs - 1, "hold")
      expect(answer).toEqual({ _tag: "in-progress", retryAfterMs: 1 })
      for (const mode of ["hold", "retry"] as const) {
        expect(await actor().acquire(start + leaseMs, mode)).toEqual({ _tag: "indeterminate" })
      }
      expect(await peek(start + leaseMs)).toEqual({ state: "held", fence: 1, leaseLeftMs: 0 })
    })

    it("holds a claim that is taken over in order to be held", async () => {
      const { actor } = stage(backend().store)
      await actor().acquire(start)
      expect(await actor().acquire(start + leaseMs, "hold")).toMatchObject({ _tag: "taken-over", fence: 2 })
      expect(await actor().acquire(start + 2 * leaseMs)).toEqual({ _tag: "indeterminate" })
    })

    it("looks at the fingerprint before the state, whatever the state", async () => {
      const { actor } = stage(backend().store)
      const owner = actor()
      const differs = async (now: number) =>
        expect(await actor(undefined, hash()).acquire(now)).toEqual({ _tag: "mismatch" })
      await owner.acquire(start, "hold")
      await differs(start)
      await differs(start + leaseMs)
      await owner.complete(start + leaseMs, "{}")
      await differs(start + leaseMs)
      const pending = stage(backend().store)
      await pending.actor().acquire(start)
      for (const now of [start, start + leaseMs]) {
        expect(await pending.actor(undefined, hash()).acquire(now)).toEqual({ _tag: "mismatch" })
      }
    })

    it("answers a mismatch even to the owner of the claim", async () => {
      const { store } = backend()
      const { key, actor } = stage(store)
      const owner = actor()
      await owner.acquire(start)
      const again = { owner: owner.owner, leaseMs, pendingTtlMs, resultTtlMs, now: start }
      expect(await store.acquire([{ key, fingerprint: hash(), mode: "retry" }], again)).toEqual([{ _tag: "mismatch" }])
    })

    it("writes nothing when it refuses a claim: neither state nor lease nor how long it is remembered", async () => {
      const { actor, peek } = stage(backend().store)
      await actor().acquire(start)
      const before = await peek(start + leaseMs - 1)
      await actor().acquire(start + leaseMs - 1)
      await actor(undefined, hash()).acquire(start + leaseMs - 1)
      expect(await peek(start + leaseMs - 1)).toEqual(before)
      expect(await peek(start + pendingTtlMs - 1)).toMatchObject({ state: "pending" })
      expect(await peek(start + pendingTtlMs)).toBeUndefined()
    })

    it("writes nothing when it calls a claim indeterminate", async () => {
      const { actor, peek } = stage(backend().store)
      await actor().acquire(start, "hold")
      await actor().acquire(start + leaseMs)
      expect(await peek(start + leaseMs)).toEqual({ state: "held", fence: 1, leaseLeftMs: 0 })
      expect(await peek(start + pendingTtlMs)).toBeUndefined()
    })

    it("writes nothing when it replays: the result is remembered no longer", async () => {
      const { actor, peek } = stage(backend().store)
      const owner = actor()
      await owner.acquire(start)
      await owner.complete(start, "{}")
      await actor().acquire(start + resultTtlMs - 1)
      expect(await peek(start + resultTtlMs)).toBeUndefined()
    })
  })
}
