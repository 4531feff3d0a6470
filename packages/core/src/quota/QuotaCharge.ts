/** Charges of batches under the policies of a quota, and the decisions about them. Amounts are whole milli-units. */

/** A policy: up to `limit` milli-units at once, which come back evenly over the window. */
export interface QuotaRule {
  /** Name of the policy; subject and policy together identify one count. */
  readonly policy: string
  /** Milli-units: a whole number from 1 to 2^53 - 1. */
  readonly limit: number
  /** Milliseconds over which the whole limit comes back: a whole number from 1. */
  readonly windowMs: number
}

/** Consecutive operations of the same cost. */
export interface CostRun {
  /** A whole number from 1. */
  readonly count: number
  /** Milli-units of each: a whole number from 0. */
  readonly cost: number
}

/** The cost of a batch under one policy. */
export interface QuotaDemand extends QuotaRule {
  /** Milli-units for the batch itself, charged with its first operation: a whole number from 0. */
  readonly base: number
  /** Costs of its operations, in request order. Every demand of a charge must have the same number of operations. */
  readonly runs: ReadonlyArray<CostRun>
}

/** The charge of one batch. */
export interface QuotaCharge {
  /** The caller to charge: a SHA-256 hash in 43 characters of base64url. */
  readonly subject: string
  /**
   * Random id of this charge: 22 characters of base64url. Refunds refer to it, and stores whose clients may resend a
   * command use it to charge once.
   */
  readonly id: string
  /** How many operations must fit, from 0; if fewer do, nothing is charged. */
  readonly minimum: number
  readonly demands: ReadonlyArray<QuotaDemand>
  /** The time in milliseconds since 1970, in place of the store's clock. For tests. */
  readonly now?: number | undefined
}

/** The state of one policy for one caller. */
export interface QuotaStanding {
  readonly policy: string
  /** Milli-units that remain, rounded down. */
  readonly remaining: number
  /** Milliseconds until the whole limit is available again, rounded up. */
  readonly resetMs: number
  /** Whether this policy is a reason why the charge was denied or only partly admitted. */
  readonly violated: boolean
}

/** The decision about a charge. */
export interface QuotaDecision {
  /** Whether at least `minimum` operations were admitted; if not, nothing was charged under any policy. */
  readonly granted: boolean
  /** How many operations, from the first on, were admitted and charged. */
  readonly admitted: number
  /**
   * If the charge was denied: milliseconds after which `minimum` operations fit, if nothing else is charged. If it was
   * granted in part: milliseconds after which one more operation fits. 0 if all were admitted; `never` if they exceed a
   * limit.
   */
  readonly retryAfterMs: number | "never"
  /** In the order of the demands. */
  readonly standings: ReadonlyArray<QuotaStanding>
}

/** A refund of units. */
export interface QuotaRefund {
  readonly subject: string
  /** Id of the charge. A second refund of the same charge has no effect. */
  readonly id: string
  readonly amounts: ReadonlyArray<QuotaRule & { readonly amount: number }>
  /** See `QuotaCharge.now`. */
  readonly now?: number | undefined
}
