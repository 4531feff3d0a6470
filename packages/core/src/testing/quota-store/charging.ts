/** Tests of what a charge admits, what it costs, and what the decision says. */
import { describe, expect, it } from "vitest"
import { randomId } from "../../platform/randomId.ts"
import { account, type Backend, demand, runs, start } from "./Fixture.ts"

/** Declares the tests. */
export const charging = (backend: () => Backend, recognises: boolean): void => {
  describe("charging", () => {
    it("admits what fits, charges it and says what remains", async () => {
      const { charge, remaining } = account(backend().store)
      expect(await charge(demand(4), 4, start)).toEqual({
        granted: true,
        admitted: 4,
        retryAfterMs: 0,
        standings: [{ policy: "ops", remaining: 6_000, resetMs: 4_000, violated: false }],
      })
      expect(await remaining(start)).toBe(6_000)
    })

    it("charges nothing for a denied batch, and says when it fits", async () => {
      const { charge, remaining } = account(backend().store)
      await charge(demand(7), 7, start)
      expect(await charge(demand(5), 5, start)).toEqual({
        granted: false,
        admitted: 0,
        retryAfterMs: 2_000,
        standings: [{ policy: "ops", remaining: 3_000, resetMs: 7_000, violated: true }],
      })
      expect(await remaining(start)).toBe(3_000)
      expect(await charge(demand(5), 5, start + 1_999)).toMatchObject({ granted: false, retryAfterMs: 1 })
      expect(await charge(demand(5), 5, start + 2_000)).toMatchObject({ granted: true })
    })

    it("admits the first operations that fit, if there are at least `minimum`, and says when one more fits", async () => {
      const { charge } = account(backend().store)
      await charge(demand(7), 7, start)
      expect(await charge(demand(5), 1, start)).toMatchObject({ granted: true, admitted: 3, retryAfterMs: 1_000 })
      expect(await charge(demand(5), 1, start)).toMatchObject({ granted: false, admitted: 0, retryAfterMs: 1_000 })
    })

    it("admits operations of different costs in their order", async () => {
      const { charge, remaining } = account(backend().store)
      const mixed = demand(0, { runs: runs(4_000, 500, 5_000, 1_000) })
      expect(await charge(mixed, 1, start)).toMatchObject({ admitted: 3, granted: true })
      expect(await remaining(start)).toBe(500)
      const free = demand(0, { runs: runs(0, 0, 600, 0) })
      expect(await charge(free, 1, start)).toMatchObject({ admitted: 2, granted: true, retryAfterMs: 100 })
    })

    it("charges the base only with a first operation", async () => {
      const { charge, remaining } = account(backend().store)
      const weighted = (count: number) => demand(0, { base: 1_000, runs: [{ count, cost: 100 }] })
      await charge(weighted(10), 10, start)
      expect(await remaining(start)).toBe(8_000)
      await charge(weighted(60), 60, start)
      expect(await remaining(start)).toBe(1_000)
      expect(await charge(weighted(1), 1, start)).toMatchObject({ granted: false, retryAfterMs: 100 })
      expect(await remaining(start)).toBe(1_000)
    })

    it("charges the base of a demand without operations", async () => {
      const { charge, remaining } = account(backend().store)
      const envelope = demand(0, { base: 4_000 })
      expect(await charge(envelope, 0, start)).toMatchObject({ granted: true, admitted: 0, retryAfterMs: 0 })
      expect(await charge(envelope, 0, start)).toMatchObject({ granted: true })
      expect(await charge(envelope, 0, start)).toMatchObject({ granted: false, retryAfterMs: 2_000 })
      expect(await remaining(start)).toBe(2_000)
    })

    it("charges all policies or none", async () => {
      const { charge, remaining } = account(backend().store)
      const daily = { policy: "daily", limit: 12_000, windowMs: 86_400_000 }
      await charge([demand(8), demand(8, daily)], 8, start)
      const later = start + 10_000
      const denied = await charge([demand(6), demand(6, daily)], 6, later)
      expect(denied).toMatchObject({ granted: false, standings: [{ violated: false }, { violated: true }] })
      expect(await remaining(later)).toBe(10_000)
      const partial = await charge([demand(6), demand(6, daily)], 1, later)
      expect(partial).toMatchObject({ granted: true, admitted: 4 })
      expect(await remaining(later)).toBe(6_000)
      expect(await remaining(later, demand(0, daily))).toBe(1)
    })

    it("returns `never` for operations that exceed a limit", async () => {
      const { charge, remaining } = account(backend().store)
      expect(await charge(demand(11), 11, start)).toMatchObject({ granted: false, retryAfterMs: "never" })
      expect(await charge(demand(11), 1, start)).toMatchObject({ granted: true, admitted: 10 })
      expect(await remaining(start)).toBe(0)
    })

    it("charges every subject on its own", async () => {
      const { store } = backend()
      const [one, two] = [account(store), account(store)]
      await one.charge(demand(10), 10, start)
      expect(await two.charge(demand(10), 10, start)).toMatchObject({ granted: true })
    })

    it("is shared by all clients of the backend", async () => {
      const { store, other = store } = backend()
      const { subject, charge } = account(store)
      await charge(demand(6), 6, start)
      expect(await account(other, subject).charge(demand(6), 6, start)).toMatchObject({ granted: false })
    })

    it("never admits more than the limit for any number of concurrent charges", async () => {
      const { store, other = store } = backend()
      const { subject, charge } = account(store)
      const otherAccount = account(other, subject)
      const charges = Array.from({ length: 60 }, (_, index) =>
        (index % 2 === 0 ? charge : otherAccount.charge)(demand(1), 1, start),
      )
      const decisions = await Promise.all(charges)
      expect(decisions.filter(({ granted }) => granted)).toHaveLength(10)
    })

    it("is not changed by peek", async () => {
      const { store } = backend()
      const { subject, charge } = account(store)
      const rule = demand(0)
      expect(await store.peek(subject, [rule], start)).toEqual([
        { policy: "ops", remaining: 10_000, resetMs: 0, violated: false },
      ])
      await charge(demand(3), 3, start)
      for (let call = 0; call < 3; call++) {
        expect(await store.peek(subject, [rule, demand(0, { policy: "other" })], start)).toMatchObject([
          { policy: "ops", remaining: 7_000, resetMs: 3_000 },
          { policy: "other", remaining: 10_000, resetMs: 0 },
        ])
      }
    })

    // Not required of stores whose clients never resend a command.
    if (!recognises) return

    it("charges once and returns the same decision if a charge is sent again", async () => {
      const { charge, remaining } = account(backend().store)
      const id = randomId()
      const first = await charge(demand(4), 4, start, id)
      expect(await charge(demand(4), 4, start + 500, id)).toEqual(first)
      expect(await remaining(start)).toBe(6_000)
    })
  })
}
