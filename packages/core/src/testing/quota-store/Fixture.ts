/** What the tests of `QuotaStoreContract` share. */
import { randomId } from "../../platform/randomId.ts"
import type { CostRun, QuotaDemand } from "../../quota/QuotaCharge.ts"
import type { QuotaStore } from "../../quota/QuotaStore.ts"

/** A store under test. `other` is a second client of the same backend, like a second process. */
export interface Backend {
  readonly store: QuotaStore
  /** Default: the store itself. */
  readonly other?: QuotaStore | undefined
  readonly close?: (() => Promise<unknown>) | undefined
}

/** A time in 2030, in milliseconds since 1970. */
export const start = 1_900_000_000_000

/** Creates a subject that no other test uses. */
export const newSubject = (): string => `${randomId()}${randomId()}`.slice(0, 43)

/** Creates a demand for `count` operations of one unit each, under a policy of 10 units in 10 seconds. */
export const demand = (count: number, changes: Partial<QuotaDemand> = {}): QuotaDemand => ({
  policy: "ops",
  limit: 10_000,
  windowMs: 10_000,
  base: 0,
  runs: count === 0 ? [] : [{ count, cost: 1000 }],
  ...changes,
})

/** Creates the runs of operations with the given costs. */
export const runs = (...costs: ReadonlyArray<number>): ReadonlyArray<CostRun> =>
  costs.map((cost) => ({ count: 1, cost }))

/** Creates functions to charge one subject, to refund it, and to read its remaining units. */
export const account = (store: QuotaStore, subject = newSubject()) => ({
  subject,
  charge: (demands: QuotaDemand | ReadonlyArray<QuotaDemand>, minimum: number, now?: number, id = randomId()) =>
    store.charge({ subject, id, minimum, now, demands: Array.isArray(demands) ? demands : [demands as QuotaDemand] }),
  refund: (id: string, amount: number, now?: number, rule = demand(0)) =>
    store.refund({
      subject,
      id,
      now,
      amounts: [{ policy: rule.policy, limit: rule.limit, windowMs: rule.windowMs, amount }],
    }),
  remaining: async (now?: number, rule = demand(0)) => (await store.peek(subject, [rule], now))[0]!.remaining,
})
