/** What a batch costs under the policies of a quota, and what became of charging it. Amounts are whole milli-units. */

/** A policy that every charge has to fit in: `limit` milli-units at once, which come back evenly over the window. */
export interface QuotaRule {
  /** Name of the policy; with the subject it says which count is meant. */
  readonly policy: string
  /** Milli-units: a whole number from 1 to 2^53 - 1. */
  readonly limit: number
  /** Milliseconds in which the whole limit comes back: a whole number from 1. */
  readonly windowMs: number
}

/** So many operations in a row, each of which costs so much. */
export interface CostRun {
  /** A whole number from 1. */
  readonly count: number
  /** Milli-units of each: a whole number from 0. */
  readonly cost: number
}

/** What a batch costs under one policy. */
export interface QuotaDemand extends QuotaRule {
  /** Milli-units for the batch as such, charged with its first operation: a whole number from 0. */
  readonly base: number
  /** What its operations cost, in request order. Every demand of a charge has the same number of operations. */
  readonly runs: ReadonlyArray<CostRun>
}

/** One batch to be charged. */
export interface QuotaCharge {
  /** Whose quota it is: 43 characters of base64url, a SHA-256 hash. */
  readonly subject: string
  /**
   * 22 characters of base64url, random: names this charge, for refunds, and for stores whose clients may send it twice of
   * their own accord, which charge it once.
   */
  readonly id: string
  /** How many operations have to fit at least; below that nothing is charged. From 0. */
  readonly minimum: number
  readonly demands: ReadonlyArray<QuotaDemand>
  /** The time, in milliseconds since 1970, instead of the store's own clock. For tests. */
  readonly now?: number | undefined
}

/** How one policy stands. */
export interface QuotaStanding {
  readonly policy: string
  /** Milli-units that are left, rounded down. */
  readonly remaining: number
  /** Milliseconds until the whole limit is there again, rounded up; 0 where it is. */
  readonly resetMs: number
  /** Whether it is why the charge was denied, or not admitted in full. */
  readonly violated: boolean
}

/** What became of a charge. */
export interface QuotaDecision {
  /** Whether at least `minimum` operations were admitted; otherwise nothing was charged under any policy. */
  readonly granted: boolean
  /** The operations that were admitted and charged: the first so many. */
  readonly admitted: number
  /**
   * Milliseconds after which `minimum` operations fit, if nothing else is charged; where the charge was granted, but not
   * in full, after which one more would have fitted. 0 where everything was admitted; `never` for what is more than a limit.
   */
  readonly retryAfterMs: number | "never"
  /** In the order of the demands. */
  readonly standings: ReadonlyArray<QuotaStanding>
}

/** Units to be given back. */
export interface QuotaRefund {
  readonly subject: string
  /** The charge that they were taken by: a second refund under the same name gives nothing back. */
  readonly id: string
  readonly amounts: ReadonlyArray<QuotaRule & { readonly amount: number }>
  readonly now?: number | undefined
}
