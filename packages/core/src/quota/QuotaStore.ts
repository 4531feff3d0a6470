/**
 * Remembers how much of their quota callers have used.
 *
 * To add a store, implement `QuotaStore` and run `QuotaStoreContract` against it. `Gcra` has the arithmetic.
 */
import type { QuotaCharge, QuotaDecision, QuotaRefund, QuotaRule, QuotaStanding } from "./QuotaCharge.ts"

/**
 * A store of quotas.
 *
 * **Details** `charge` decides over all demands and takes from all of them in one atomic step, by the clock that all
 * clients of the store share: over any interval `t` a policy admits at most `limit + t × limit / windowMs`. What is denied
 * takes nothing from any policy. As many operations are admitted as fit in every policy, in request order, from
 * `minimum` on. `refund` never gives back more than makes the limit whole, and once per charge. `peek` changes nothing.
 * A call costs one round trip, however many operations and policies it has. It rejects when the store does not answer.
 * A policy whose whole limit is there may be forgotten.
 */
export interface QuotaStore {
  readonly charge: (charge: QuotaCharge) => Promise<QuotaDecision>
  readonly refund: (refund: QuotaRefund) => Promise<void>
  readonly peek: (
    subject: string,
    rules: ReadonlyArray<QuotaRule>,
    now?: number,
  ) => Promise<ReadonlyArray<QuotaStanding>>
}
