/**
 * The port of transactions, which make several operations succeed or fail together.
 *
 * To add a database, implement `UnitOfWork` and run `UnitOfWorkContract` against it.
 */
import * as Context from "effect/Context"

/** An open transaction. */
export interface Transaction {
  /** The `tx` of handlers: the client library's own transaction. */
  readonly handle: unknown
  /** Runs a function in a context in which code that is not passed `handle` finds the transaction. */
  readonly enter: <A>(run: () => A) => A
  /**
   * Runs work whose effects can be undone without the rest of the transaction. They are undone if the work returns `undo`
   * or rejects; the rejection is passed on. Savepoints may nest, but must not overlap: one must have ended before the next
   * starts beside it.
   */
  readonly savepoint: (work: () => PromiseLike<"keep" | "undo">) => Promise<void>
}

/**
 * How a transaction ended.
 *
 * - `conflict`: it failed on every attempt because of concurrent transactions, and left nothing behind.
 * - `unknown`: the reply to its commit was lost, and the database cannot tell whether it was committed.
 */
export type TransactionOutcome = "committed" | "rolled-back" | "conflict" | "unknown"

/** Options of a transaction. */
export interface TransactionOptions {
  /** Milliseconds until the deadline of the batch; the database must cancel statements that run longer. */
  readonly remainingMs: number
}

/**
 * A database with transactions.
 *
 * **Details** `run` opens a transaction, runs `work`, and commits if it returns `commit`. If it returns `rollback` or
 * rejects, nothing of it remains. If `work` or the commit rejects with a transient error, `work` is run again in a new
 * transaction, a bounded number of times with random pauses: it must be repeatable. If the database stays unreachable, `run`
 * rejects with an error for which `isUnavailable` returns true. Other rejections are passed on. In both cases nothing of the
 * transaction remains. A lost reply to a commit is not retried unless the commit is known to have failed. The outcome is `committed` only if the transaction is known to have been committed. After `run` has ended, the handle of the
 * transaction rejects all statements.
 */
export interface UnitOfWork {
  /** The `tx` of handlers outside of a transaction: the client library's database. */
  readonly handle: unknown
  /** Whether a transaction that failed with this error may succeed if retried: a deadlock, a serialization failure. */
  readonly isTransient: (error: unknown) => boolean
  /**
   * Whether an error means that the database cannot be reached at the moment. Operations then fail with
   * `STORE_UNAVAILABLE`. Default: such errors are unexpected.
   */
  readonly isUnavailable?: (error: unknown) => boolean
  readonly run: (
    work: (transaction: Transaction) => Promise<"commit" | "rollback">,
    options: TransactionOptions,
  ) => Promise<TransactionOutcome>
}

/** The transaction that an Effect handler runs in, or the database outside of one; undefined without a unit of work. */
export const CurrentTransaction = Context.Reference<unknown>("@multistatus/core/CurrentTransaction", {
  defaultValue: () => undefined,
})
