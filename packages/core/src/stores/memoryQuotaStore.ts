/** Counts in the memory of this process. */
import * as Gcra from "../domain/Gcra.ts"
import type { QuotaStore } from "../ports/QuotaStore.ts"
/** Keeps counts in memory, unbounded. @category constructors @since 0.1.0 */
export const memoryQuotaStore = (): QuotaStore => {
  const all = new Map<string, Map<string, number>>()
  const of = (s: string) => {
    let m = all.get(s)
    if (!m) all.set(s, (m = new Map()))
    return m
  }
  return {
    charge: async (c) => {
      const m = of(c.subject)
      const { decision, arrivals } = Gcra.decide(
        c,
        c.demands.map(({ policy }) => m.get(policy)),
        c.now ?? Date.now(),
      )
      arrivals?.forEach((a, i) => m.set(c.demands[i]!.policy, a))
      return decision
    },
    refund: async (r) => {
      const m = of(r.subject)
      for (const a of r.amounts) m.set(a.policy, Gcra.refund(a, m.get(a.policy), r.now ?? Date.now()))
    },
    peek: async (s, rules, now = Date.now()) => rules.map((rule) => Gcra.standing(rule, of(s).get(rule.policy), now)),
  }
}
