/**
 * The port of idempotency stores: which keys are claimed, by whom, and which results are stored under them.
 *
 * To add a store, implement `IdempotencyStore` and run `IdempotencyStoreContract` against it.
 */

/** One key to claim. */
export interface AcquireItem {
  /** The SHA-256 hash of the key and its scope: 43 characters of base64url. */
  readonly key: string
  /** The SHA-256 hash of the request that uses the key: 43 characters of base64url. */
  readonly fingerprint: string
  /** Whether another owner may take the claim over when its lease ends without a result: `retry` for yes, `hold` for no. */
  readonly mode: "retry" | "hold"
}

/**
 * The store's answer to a claim.
 *
 * - `fresh`: the key was free and is now claimed.
 * - `taken-over`: the lease of another owner had ended. The key is now claimed; `journal` is what the other owner appended.
 * - `mine`: this owner already holds the claim, for example because an answer was lost and the call was repeated. The lease
 *   starts again.
 * - `replay`: the key is completed; `result` is its stored result.
 * - `in-progress`: another owner holds the claim, and its lease ends in `retryAfterMs` milliseconds.
 * - `mismatch`: the key was first used for another request, in whatever state that is.
 * - `indeterminate`: the lease of an owner ended without a result, and nobody may take the claim over.
 */
export type Acquired =
  | { readonly _tag: "fresh"; readonly fence: number }
  | { readonly _tag: "taken-over"; readonly fence: number; readonly journal: string }
  | { readonly _tag: "mine"; readonly fence: number; readonly journal: string }
  | { readonly _tag: "replay"; readonly result: string }
  | { readonly _tag: "in-progress"; readonly retryAfterMs: number }
  | { readonly _tag: "mismatch" }
  | { readonly _tag: "indeterminate" }

/**
 * An action of an owner on its claim.
 *
 * - `complete`: stores the result. The record does not change again until it expires.
 * - `append`: appends a chunk to the journal, behind its first `at` characters (UTF-16 code units, as `length` counts
 *   them), and extends the lease. An owner may append its last chunk again: the answer is `already`, and the lease is
 *   extended.
 * - `extend`: extends the lease.
 * - `release`: frees the key, for other requests too. A tombstone stays, so that an earlier owner still cannot store
 *   anything. The next claim of the key gets a higher fence.
 */
export type SettleAction =
  | { readonly _tag: "complete"; readonly result: string }
  | { readonly _tag: "append"; readonly at: number; readonly chunk: string }
  | { readonly _tag: "extend" }
  | { readonly _tag: "release" }

/** One claim to settle. */
export interface SettleItem {
  readonly key: string
  /** Needed where the record was lost and a result recreates it. */
  readonly fingerprint: string
  readonly action: SettleAction
}

/**
 * The store's answer to a settlement.
 *
 * - `applied`: the action was applied.
 * - `already`: this owner did the same before.
 * - `recreated`: the record was lost, by eviction or failover, and the result recreated it.
 * - `refused`: this owner does not hold the claim, or no longer. Nothing changed.
 */
export type Settled = "applied" | "already" | "recreated" | "refused"

/** The owner of a call, and how long its claims and results last. */
export interface IdempotencyTimes {
  /** Names one execution of one batch: 22 random characters of base64url. */
  readonly owner: string
  /** Milliseconds from now until the lease of a claim ends, unless it is extended. */
  readonly leaseMs: number
  /** Milliseconds until a claim without a result, or a tombstone, expires. At least `leaseMs`. */
  readonly pendingTtlMs: number
  /** Milliseconds until a result expires, counted from when it is stored. */
  readonly resultTtlMs: number
  /** For tests: the time in milliseconds since 1970. Default: the store's own clock. */
  readonly now?: number | undefined
}

/** A record, as `peek` shows it. */
export interface IdempotencyRecord {
  readonly state: "pending" | "held" | "done" | "released"
  readonly fence: number
  /** Milliseconds until the lease ends; 0 or less when it has ended. */
  readonly leaseLeftMs: number
}

/**
 * A store of claims and results.
 *
 * **Claims** At most one owner holds a claim of a key whose lease has not ended. An owner may repeat every call: nothing
 * happens twice. A store compares fingerprints before it looks at the state. `mismatch`, `in-progress`, `indeterminate` and
 * `replay` write nothing. A result does not change until it expires. An expired record counts as absent, whether or not it
 * was removed. All clients of a store share its clock.
 *
 * **Calls** Items are plain objects, which a store does not change. The keys of one call differ, and answers come in the
 * order of the items. A call takes one round trip, however many items it has, or two where others write at the same time.
 * It rejects when the store does not answer. Whether the call was applied is then unknown, and the owner may repeat it.
 *
 * **Texts** Results and chunks are well-formed texts of any length. JSON never contains NUL or lone surrogates: a store may
 * keep them, return U+FFFD for a lone surrogate, or reject the call and change nothing.
 */
export interface IdempotencyStore {
  /**
   * Rejects with an error that says how to fix it if the store cannot work, such as one whose tables are missing. It is called
   * when endpoints are made. Default: the store is not checked.
   */
  readonly check?: (() => Promise<void>) | undefined
  readonly acquire: (items: ReadonlyArray<AcquireItem>, times: IdempotencyTimes) => Promise<ReadonlyArray<Acquired>>
  readonly settle: (items: ReadonlyArray<SettleItem>, times: IdempotencyTimes) => Promise<ReadonlyArray<Settled>>
  /**
   * Settles in a transaction of the unit of work, so that results and effects commit together; undefined where the store
   * cannot. `transaction` is the handle of the transaction. If anything is `refused`, the caller has to roll it back.
   */
  readonly settleIn?: (
    transaction: unknown,
    items: ReadonlyArray<SettleItem>,
    times: IdempotencyTimes,
  ) => Promise<ReadonlyArray<Settled>>
  /** Reads a record without changing it; undefined where there is none. For operators and tests. */
  readonly peek: (key: string, now?: number) => Promise<IdempotencyRecord | undefined>
  /**
   * Decides the outcome of a key that is `indeterminate`: a result, or that the key is free. Returns false where the key is
   * in any other state.
   *
   * **Details** The former owner loses its claim: its settlements are `refused`.
   */
  readonly resolve: (
    key: string,
    decision: { readonly result: string; readonly resultTtlMs: number } | "forget",
    now?: number,
  ) => Promise<boolean>
  /** Removes at most `limit` expired records and returns how many. Stores that expire records by themselves do nothing. */
  readonly purge: (limit: number, now?: number) => Promise<number>
}
