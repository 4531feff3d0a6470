/** Tests of invalid and of large amounts. */
import { describe, expect, it } from "vitest"
import { randomId } from "../../platform/randomId.ts"
import { account, type Backend, demand, newSubject, start } from "./Fixture.ts"

/** Values that are no valid amount. */
const invalidAmounts = [Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, 2 ** 53, "5" as unknown as number]

/** Declares the tests. */
export const amounts = (backend: () => Backend): void => {
  describe("amounts", () => {
    it.each(invalidAmounts)("of %s are rejected, and nothing is charged or refunded", async (amount) => {
      const { store } = backend()
      const { charge, refund, remaining } = account(store)
      await charge(demand(5), 5, start)
      const invalidDemands = [
        demand(1, { base: amount }),
        demand(1, { limit: amount }),
        demand(1, { windowMs: amount }),
        demand(0, { runs: [{ count: 1, cost: amount }] }),
        demand(0, { runs: [{ count: amount, cost: 1 }] }),
      ]
      for (const invalid of invalidDemands) await expect(charge(invalid, 1, start)).rejects.toThrow(RangeError)
      await expect(charge(demand(1), amount, start)).rejects.toThrow(RangeError)
      await expect(refund(randomId(), amount, start)).rejects.toThrow(RangeError)
      expect(await remaining(start)).toBe(5_000)
    })

    it("that add up to more than 2^53 are rejected", async () => {
      const { charge } = account(backend().store)
      const cost = 2 ** 52
      const huge = demand(0, { limit: Number.MAX_SAFE_INTEGER, runs: [{ count: 3, cost }] })
      await expect(charge(huge, 1, start)).rejects.toThrow(RangeError)
    })

    it("may be large", async () => {
      const { charge, remaining } = account(backend().store)
      const limit = 9e15
      const large = demand(0, { limit, windowMs: 86_400_000, runs: [{ count: 1_000_000, cost: 4_000_000_000 }] })
      expect(await charge(large, 1_000_000, start)).toMatchObject({ granted: true, admitted: 1_000_000 })
      const rest = await remaining(start, large)
      expect(Math.abs(rest - 5e15) / limit).toBeLessThan(1e-9)
    })

    it("for subjects that could address other keys are rejected", async () => {
      const { store } = backend()
      for (const subject of ["", "{x}", `${newSubject().slice(0, 42)}*`, `${newSubject()}:a`]) {
        await expect(account(store, subject).charge(demand(1), 1, start)).rejects.toThrow(RangeError)
      }
    })
  })
}
