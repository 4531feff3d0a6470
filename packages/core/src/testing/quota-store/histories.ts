/** Random histories of one subject, compared with the arithmetic of `Gcra` and with the bound of a policy. */
import * as fc from "fast-check"
import { expect } from "vitest"
import * as Gcra from "../../quota/Gcra.ts"
import type { QuotaCharge, QuotaDemand } from "../../quota/QuotaCharge.ts"
import { randomId } from "../../platform/randomId.ts"
import type { QuotaStore } from "../../quota/QuotaStore.ts"
import { newSubject, start } from "./Fixture.ts"

const ruleArbitrary = fc.record({
  limit: fc.integer({ min: 1, max: 20_000 }),
  windowMs: fc.constantFrom(1, 7, 1_000, 60_000),
})

const stepArbitrary = fc.record({
  elapsed: fc.oneof(fc.constantFrom(0, 1), fc.integer({ min: 0, max: 70_000 })),
  base: fc.constantFrom(0, 0, 1, 1_000),
  runs: fc.array(fc.record({ count: fc.integer({ min: 1, max: 30 }), cost: fc.integer({ min: 0, max: 3_000 }) }), {
    maxLength: 3,
  }),
  requires: fc.constantFrom<"all" | "any">("all", "any"),
  refunds: fc.constantFrom(false, false, true),
})

const historyArbitrary = fc.record({
  rules: fc.array(ruleArbitrary, { minLength: 1, maxLength: 3 }),
  steps: fc.array(stepArbitrary, { maxLength: 8 }),
})

/** Rounding errors, in milli-units. */
const tolerance = 1

/**
 * Runs random histories. Checks that a store decides like `Gcra`, that a denied batch fits after `retryAfterMs`, and that in
 * any interval no more is admitted than the limit and the units that came back.
 */
export const check = (
  store: QuotaStore,
  { runs = 2_000 }: { readonly runs?: number | undefined } = {},
): Promise<void> =>
  fc.assert(
    fc.asyncProperty(historyArbitrary, async ({ rules, steps }) => {
      const subject = newSubject()
      const policies = rules.map((rule, index) => ({ policy: `p${index}`, ...rule }))
      let arrivals: ReadonlyArray<number | undefined> = policies.map(() => undefined)
      let now = start
      const spent = policies.map((): Array<{ readonly at: number; readonly cost: number }> => [])
      for (const { elapsed, base, runs: costs, requires, refunds } of steps) {
        now += elapsed
        const demands = policies.map((policy): QuotaDemand => ({ ...policy, base, runs: costs }))
        const total = Gcra.countOf(demands[0]!)
        const minimum = requires === "all" ? total : Math.min(total, 1)
        const charge: QuotaCharge = { subject, id: randomId(), minimum, demands, now }
        const expected = Gcra.decide(charge, arrivals, now)
        const decision = await store.charge(charge)
        expect(decision).toEqual(expected.decision)
        arrivals = expected.arrivals ?? arrivals
        if (decision.granted)
          demands.forEach((demand, index) =>
            spent[index]!.push({ at: now, cost: Gcra.costOf(demand, decision.admitted) }),
          )
        else if (decision.retryAfterMs !== "never") {
          now += decision.retryAfterMs
          const again = { ...charge, id: randomId(), now }
          const later = Gcra.decide(again, arrivals, now)
          const retried = await store.charge(again)
          expect(retried).toEqual(later.decision)
          expect(retried.granted).toBe(true)
          arrivals = later.arrivals ?? arrivals
          demands.forEach((demand, index) =>
            spent[index]!.push({ at: now, cost: Gcra.costOf(demand, retried.admitted) }),
          )
        }
        if (!refunds || !decision.granted) continue
        const amounts = demands.map((demand) => ({ ...demand, amount: Gcra.costOf(demand, decision.admitted) }))
        await store.refund({ subject, id: charge.id, amounts, now })
        arrivals = amounts.map((amount, index) => Gcra.refund(amount, arrivals[index], now))
        for (const charges of spent) charges.pop()
      }
      policies.forEach((policy, index) => expect(excess(policy, spent[index]!)).toBeLessThanOrEqual(tolerance))
    }),
    { numRuns: runs },
  )

// Returns by how much the worst interval exceeds the bound of a policy.
const excess = (
  { limit, windowMs }: { readonly limit: number; readonly windowMs: number },
  spent: ReadonlyArray<{ readonly at: number; readonly cost: number }>,
): number => {
  let worst = 0
  for (let from = 0; from < spent.length; from++) {
    let sum = 0
    for (let to = from; to < spent.length; to++) {
      sum += spent[to]!.cost
      worst = Math.max(worst, sum - limit - ((spent[to]!.at - spent[from]!.at) * limit) / windowMs)
    }
  }
  return worst
}
