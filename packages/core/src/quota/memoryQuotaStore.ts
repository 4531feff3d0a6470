/** A quota store in the memory of this process. */
import * as Gcra from "./Gcra.ts"
import type { QuotaDecision, QuotaRule } from "./QuotaCharge.ts"
import type { QuotaStore } from "./QuotaStore.ts"

/** Options of the store. */
export interface MemoryQuotaOptions {
  /**
   * Maximum number of subjects. Default 10,000. Beyond it, the least recently used subjects are evicted and have their
   * whole quota again.
   */
  readonly maxSubjects?: number | undefined
}

interface Subject {
  readonly arrivals: Map<string, number>
  /** The latest charges by id, and the ids of the latest refunds. */
  readonly charges: Map<string, QuotaDecision>
  readonly refunds: Set<string>
}

/** How many charges and refunds of a subject are recognised if they are sent again. */
const keptIds = 100

/** Creates a quota store in memory, for tests and servers of one process. */
export const memoryQuotaStore = ({ maxSubjects = 10_000 }: MemoryQuotaOptions = {}): QuotaStore => {
  if (!Number.isSafeInteger(maxSubjects) || maxSubjects < 1) {
    throw new TypeError(`"maxSubjects" must be a whole number from 1, not ${maxSubjects}`)
  }
  const subjects = new Map<string, Subject>()

  const subjectOf = (name: string, now: number): Subject => {
    const known = subjects.get(name)
    const subject = known ?? { arrivals: new Map(), charges: new Map(), refunds: new Set() }
    // Reinserting keeps the map in the order of last use.
    subjects.delete(name)
    subjects.set(name, subject)
    if (known === undefined && subjects.size > maxSubjects) evictOne(now)
    return subject
  }

  const evictOne = (now: number) => {
    let examined = 0
    for (const [name, { arrivals }] of subjects) {
      if ([...arrivals.values()].every((arrival) => arrival <= now)) return subjects.delete(name)
      if (++examined >= maximumExamined) break
    }
    const [oldest] = subjects.keys()
    return subjects.delete(oldest!)
  }

  return {
    charge: async (charge) => {
      Gcra.checkCharge(charge)
      const now = charge.now ?? Date.now()
      const { arrivals, charges } = subjectOf(charge.subject, now)
      const known = charges.get(charge.id)
      if (known !== undefined) return known
      const before = charge.demands.map(({ policy }) => arrivals.get(policy))
      const decided = Gcra.decide(charge, before, now)
      if (decided.arrivals !== undefined) {
        charge.demands.forEach(({ policy }, index) => arrivals.set(policy, decided.arrivals![index]!))
        charges.set(charge.id, decided.decision)
        if (charges.size > keptIds) charges.delete(charges.keys().next().value!)
      }
      return decided.decision
    },
    refund: async (refund) => {
      Gcra.checkRefund(refund)
      const now = refund.now ?? Date.now()
      const { arrivals, refunds } = subjectOf(refund.subject, now)
      if (refunds.has(refund.id)) return
      refunds.add(refund.id)
      if (refunds.size > keptIds) refunds.delete(refunds.values().next().value!)
      for (const amount of refund.amounts) {
        const arrival = arrivals.get(amount.policy)
        if (arrival !== undefined) arrivals.set(amount.policy, Gcra.refund(amount, arrival, now))
      }
    },
    peek: async (subject, rules: ReadonlyArray<QuotaRule>, now = Date.now()) => {
      Gcra.checkRules(rules)
      const arrivals = subjects.get(subject)?.arrivals
      return rules.map((rule) => Gcra.standing(rule, arrivals?.get(rule.policy), now))
    },
  }
}

/** How many subjects are examined to find one that has its whole quota again. */
const maximumExamined = 10
