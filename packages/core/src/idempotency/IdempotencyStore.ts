/**
 * Remembers under which keys something was begun, by whom, and what came of it.
 *
 * To add a store, implement `IdempotencyStore` and run `IdempotencyStoreContract` against it.
 */

/** One key to be claimed. */
export interface AcquireItem {
  /** 43 characters of base64url: the SHA-256 hash of the key in its scope. */
  readonly key: string
  /** 43 characters of base64url: the SHA-256 hash of what the key is used for. */
  readonly fingerprint: string
  /** What happens when an owner's lease ends without a result: others may take over (`retry`), or nobody (`hold`). */
  readonly mode: "retry" | "hold"
}

/**
 * What became of a claim.
 *
 * - `fresh`: nothing was known; the key is claimed.
 * - `taken-over`: the lease of another owner had ended; the key is claimed, with what the other one had journalled.
 * - `mine`: this owner holds the claim already, as when an answer was lost and the call sent again. The lease begins anew.
 * - `replay`: it was done; this is its result.
 * - `in-progress`: another owner holds the claim, for so many milliseconds yet.
 * - `mismatch`: the key was first used for something else, whatever came of it.
 * - `indeterminate`: an owner's lease ended without a result, and nobody may take over.
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
 * What an owner does with a claim of its own.
 *
 * - `complete`: stores the result; the record does not change any more until its time is over.
 * - `append`: adds a chunk to the journal, which `at` characters precede (UTF-16 code units, as `length` counts them), and
 *   extends the lease. The chunk that was added last may be sent again: that is `already`, and extends the lease too.
 * - `extend`: extends the lease.
 * - `release`: frees the key, for other uses too. A tombstone stays, so that an owner before this one still cannot store
 *   anything; whoever claims the key next gets a higher fence.
 */
export type SettleAction =
  | { readonly _tag: "complete"; readonly result: string }
  | { readonly _tag: "append"; readonly at: number; readonly chunk: string }
  | { readonly _tag: "extend" }
  | { readonly _tag: "release" }

/** One claim to be settled. */
export interface SettleItem {
  readonly key: string
  /** Needed where a record has vanished and a result recreates it. */
  readonly fingerprint: string
  readonly action: SettleAction
}

/**
 * What became of settling. `already`: this owner did the same before. `recreated`: the record had vanished (evicted, or
 * lost in a failover), and the result made it anew. `refused`: the claim is not, or no longer, this owner's: nothing
 * was changed.
 */
export type Settled = "applied" | "already" | "recreated" | "refused"

/** Who claims or settles, and for how long. */
export interface IdempotencyTimes {
  /** 22 characters of base64url, random: one attempt at executing one batch. */
  readonly owner: string
  /** Milliseconds that a claim is held from now, unless it is extended. */
  readonly leaseMs: number
  /** Milliseconds that a claim without a result, or a tombstone, is remembered. At least the lease. */
  readonly pendingTtlMs: number
  /** Milliseconds that a result is remembered, from when it is stored. */
  readonly resultTtlMs: number
  /** The time, in milliseconds since 1970, instead of the store's own clock. For tests. */
  readonly now?: number | undefined
}

/** A record, as operators see it. */
export interface IdempotencyRecord {
  readonly state: "pending" | "held" | "done" | "released"
  readonly fence: number
  /** Milliseconds that the lease has left; 0 or less when it has ended. */
  readonly leaseLeftMs: number
}

/**
 * A store of claims and results.
 *
 * **Details** Time is the store's own, the same for all of its clients. For one key at most one owner has a claim whose
 * lease has not ended. Every call may be repeated by its owner: nothing happens twice. The fingerprint is looked at
 * before the state. `mismatch`, `in-progress`, `indeterminate` and `replay` write nothing. A result does not change until
 * its time is over. A record whose time is over counts as absent, whether it is still there or not. Results come in the
 * order of the items; keys within one call differ. A call costs one round trip (two where rivals write at once), however
 * many items it has. It rejects when the store does not answer; whether it was applied is then not known, and the owner
 * may call again.
 *
 * Members of items may be getters that make them when they are asked for, so that a store that sends many in parts can
 * have the first on their way meanwhile: read them, instead of spreading items.
 *
 * Results and chunks are any text, of any length, each well-formed by itself. Of NUL and of lone surrogates, which JSON
 * texts never hold raw, a store need not think: it keeps them, or rejects the call and changes nothing, or gives U+FFFD
 * back for a lone surrogate.
 */
export interface IdempotencyStore {
  /**
   * Rejects with an error that says how to fix it if the store cannot work, such as one whose tables are missing. It is called
   * when endpoints are made. Default: the store is not checked.
   */
  readonly check?: () => Promise<void>
  readonly acquire: (items: ReadonlyArray<AcquireItem>, times: IdempotencyTimes) => Promise<ReadonlyArray<Acquired>>
  readonly settle: (items: ReadonlyArray<SettleItem>, times: IdempotencyTimes) => Promise<ReadonlyArray<Settled>>
  /**
   * Settles inside a transaction of the unit of work, so that results and effects commit together; undefined where the
   * store cannot. `transaction` is its handle. Anything `refused` means that the transaction must be rolled back.
   */
  readonly settleIn?: (
    transaction: unknown,
    items: ReadonlyArray<SettleItem>,
    times: IdempotencyTimes,
  ) => Promise<ReadonlyArray<Settled>>
  /** Looks at a record; undefined where there is none. For operators and tests. */
  readonly peek: (key: string, now?: number) => Promise<IdempotencyRecord | undefined>
  /**
   * Decides what became of a key that is `indeterminate`: its result, or that it is free. False if it is not.
   *
   * The owner that was given up on has no claim any more: whatever it still settles is `refused`.
   */
  readonly resolve: (
    key: string,
    decision: { readonly result: string; readonly resultTtlMs: number } | "forget",
    now?: number,
  ) => Promise<boolean>
  /** Removes at most `limit` records whose time is over; how many it removed. Stores that forget by themselves do nothing. */
  readonly purge: (limit: number, now?: number) => Promise<number>
}
