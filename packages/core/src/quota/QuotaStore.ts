/**
 * The port of quota stores, which keep the used quota of every caller.
 *
 * To add a store, implement `QuotaStore` and run `QuotaStoreContract` against it. `Gcra` provides the arithmetic.
 */
import type { QuotaCharge, QuotaDecision, QuotaRefund, QuotaRule, QuotaStanding } from "./QuotaCharge.ts"

/**
 * A quota store.
 *
 * **Details** `charge` decides about all demands and charges all of them in one atomic step, by a clock that all clients
 * of the store share. In any interval `t`, a policy admits at most `limit + t × limit / windowMs`. It admits as many
 * operations as fit in every policy, in request order, if these are at least `minimum`; otherwise it charges nothing under
 * any policy. `refund` takes effect once per charge and never raises a policy above its limit. `peek` changes nothing. Each
 * call takes one round trip for any number of operations and policies, and rejects if the store is unavailable. The store
 * may forget a policy whose whole limit is available.
 */
export interface QuotaStore {
  /**
   * Rejects with an error that says how to fix it if the store cannot work, such as one whose tables are missing. It is called
   * when endpoints are made. Default: the store is not checked.
   */
  readonly check?: (() => Promise<void>) | undefined
  readonly charge: (charge: QuotaCharge) => Promise<QuotaDecision>
  readonly refund: (refund: QuotaRefund) => Promise<void>
  readonly peek: (
    subject: string,
    rules: ReadonlyArray<QuotaRule>,
    now?: number,
  ) => Promise<ReadonlyArray<QuotaStanding>>
}
