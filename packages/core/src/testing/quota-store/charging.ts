/** What is admitted, what is charged for it, and what is told. */
import { describe, expect, it } from "vitest"
import { randomId } from "../../platform/randomId.ts"
import { account, type Backend, demand, runs, start } from "./Fixture.ts"

/** Declares the cases. */
export const charging = (backend: () => Backend, recognises: boolean): void => {
  describe("charging", () => {
    it("admits what fits, charges it and tells what is left", async () => {
      const { charge, left } = account(backend().store)
      expect(await charge(demand(4), 4, start)).toEqual({
        granted: true,
        admitted: 4,
        retryAfterMs: 0,
        standings: [{ policy: "ops", remaining: 6_000, resetMs: 4_000, violated: false }],
      })
      expect(await left(start)).toBe(6_000)
    })

    it("charges nothing for what it denies, and says when it would fit", async () => {
      const { charge, left } = account(backend().store)
      await charge(demand(7), 7, start)
      expect(await charge(demand(5), 5, start)).toEqual({
        granted: false,
        admitted: 0,
        retryAfterMs: 2_000,
        standings: [{ policy: "ops", remaining: 3_000, resetMs: 7_000, violated: true }],
      })
      expect(await left(start)).toBe(3_000)
      expect(await charge(demand(5), 5, start + 1_999)).toMatchObject({ granted: false, retryAfterMs: 1 })
      expect(await charge(demand(5), 5, start + 2_000)).toMatchObject({ granted: true })
    })

    it("admits the first operations that fit, from the minimum on, and says when the next one would", async () => {
      const { charge } = account(backend().store)
      await charge(demand(7), 7, start)
      expect(await charge(demand(5), 1, start)).toMatchObject({ granted: true, admitted: 3, retryAfterMs: 1_000 })
      expect(await charge(demand(5), 1, start)).toMatchObject({ granted: false, admitted: 0, retryAfterMs: 1_000 })
    })

    it("counts operations of unlike costs in their order", async () => {
      const { charge, left } = account(backend().store)
      const mixed = demand(0, { runs: runs(4_000, 500, 5_000, 1_000) })
      expect(await charge(mixed, 1, start)).toMatchObject({ admitted: 3, granted: true })
      expect(await left(start)).toBe(500)
      const free = demand(0, { runs: runs(0, 0, 600, 0) })
      expect(await charge(free, 1, start)).toMatchObject({ admitted: 2, granted: true, retryAfterMs: 100 })
    })

    it("charges the base with the first operation, and not without one", async () => {
      const { charge, left } = account(backend().store)
      const weighted = (count: number) => demand(0, { base: 1_000, runs: [{ count, cost: 100 }] })
      await charge(weighted(10), 10, start)
      expect(await left(start)).toBe(8_000)
      await charge(weighted(60), 60, start)
      expect(await left(start)).toBe(1_000)
      expect(await charge(weighted(1), 1, start)).toMatchObject({ granted: false, retryAfterMs: 100 })
      expect(await left(start)).toBe(1_000)
    })

    it("charges a batch without operations its base", async () => {
      const { charge, left } = account(backend().store)
      const envelope = demand(0, { base: 4_000 })
      expect(await charge(envelope, 0, start)).toMatchObject({ granted: true, admitted: 0, retryAfterMs: 0 })
      expect(await charge(envelope, 0, start)).toMatchObject({ granted: true })
      expect(await charge(envelope, 0, start)).toMatchObject({ granted: false, retryAfterMs: 2_000 })
      expect(await left(start)).toBe(2_000)
    })

    it("holds all policies of a charge at once: each admits, or none is charged", async () => {
      const { charge, left } = account(backend().store)
      const daily = { policy: "daily", limit: 12_000, windowMs: 86_400_000 }
      await charge([demand(8), demand(8, daily)], 8, start)
      const later = start + 10_000
      const denied = await charge([demand(6), demand(6, daily)], 6, later)
      expect(denied).toMatchObject({ granted: false, standings: [{ violated: false }, { violated: true }] })
      expect(await left(later)).toBe(10_000)
      const part = await charge([demand(6), demand(6, daily)], 1, later)
      expect(part).toMatchObject({ granted: true, admitted: 4 })
      expect([await left(later), await left(later, demand(0, daily))]).toEqual([6_000, 1])
    })

    it("says `never` of what is more than a limit", async () => {
      const { charge, left } = account(backend().store)
      expect(await charge(demand(11), 11, start)).toMatchObject({ granted: false, retryAfterMs: "never" })
      expect(await charge(demand(11), 1, start)).toMatchObject({ granted: true, admitted: 10 })
      expect(await left(start)).toBe(0)
    })

    it("keeps subjects apart", async () => {
      const { store } = backend()
      const [one, two] = [account(store), account(store)]
      await one.charge(demand(10), 10, start)
      expect(await two.charge(demand(10), 10, start)).toMatchObject({ granted: true })
    })

    it("is the same for everybody who uses the backend", async () => {
      const { store, other = store } = backend()
      const { subject, charge } = account(store)
      await charge(demand(6), 6, start)
      expect(await account(other, subject).charge(demand(6), 6, start)).toMatchObject({ granted: false })
    })

    it("never admits more than there is, however many ask at once", async () => {
      const { store, other = store } = backend()
      const { subject, charge } = account(store)
      const rival = account(other, subject)
      const asked = Array.from({ length: 60 }, (_, index) =>
        (index % 2 === 0 ? charge : rival.charge)(demand(1), 1, start),
      )
      const decisions = await Promise.all(asked)
      expect(decisions.filter(({ granted }) => granted)).toHaveLength(10)
    })

    it("may be looked at without changing anything", async () => {
      const { store } = backend()
      const { subject, charge } = account(store)
      const rule = demand(0)
      expect(await store.peek(subject, [rule], start)).toEqual([
        { policy: "ops", remaining: 10_000, resetMs: 0, violated: false },
      ])
      await charge(demand(3), 3, start)
      for (let look = 0; look < 3; look++) {
        expect(await store.peek(subject, [rule, demand(0, { policy: "other" })], start)).toMatchObject([
          { policy: "ops", remaining: 7_000, resetMs: 3_000 },
          { policy: "other", remaining: 10_000, resetMs: 0 },
        ])
      }
    })

    // Clients of other stores do not send a command twice.
    if (!recognises) return

    it("charges a charge once that is sent again, and answers the same", async () => {
      const { charge, left } = account(backend().store)
      const id = randomId()
      const first = await charge(demand(4), 4, start, id)
      expect(await charge(demand(4), 4, start + 500, id)).toEqual(first)
      expect(await left(start)).toBe(6_000)
    })
  })
}
