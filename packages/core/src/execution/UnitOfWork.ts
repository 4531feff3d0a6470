/**
 * Transactions: what makes several operations one.
 *
 * To add a database, implement `UnitOfWork` and run `UnitOfWorkContract` against it.
 */
import * as Context from "effect/Context"

/** A transaction that is open. */
export interface Transaction {
  /** What handlers are given as `tx`: the client library's own transaction. */
  readonly handle: unknown
  /** Runs a function so that code below it, which is handed nothing, finds the transaction. */
  readonly enter: <A>(run: () => A) => A
  /**
   * Runs work whose effects are kept or undone apart from the rest of the transaction. They are undone if it answers
   * `undo` or rejects; a rejection is passed on. One savepoint at a time: the work must have ended before another
   * begins beside it, but they may nest.
   */
  readonly savepoint: (work: () => PromiseLike<"keep" | "undo">) => Promise<void>
}

/**
 * How a transaction ended. `conflict`: rivals made it fail as often as it was tried; it left nothing behind.
 * `unknown`: the answer to its commit was lost, and what became of it cannot be read.
 */
export type TransactionOutcome = "committed" | "rolled-back" | "conflict" | "unknown"

/** What a transaction has to keep to. */
export interface TransactionOptions {
  /** Milliseconds that are left to the batch: the database is told to give up statements by then. */
  readonly remainingMs: number
}

/**
 * A database that can do several things or none of them.
 *
 * **Details** `run` opens a transaction, runs `work` and commits if it answers `commit`; nothing of it is left if it
 * answers `rollback` or rejects. If it rejects with a transient error, or if committing does, it is run again from the
 * start in a new transaction, a bounded number of times with random pauses: `work` has to be repeatable. Other
 * rejections are passed on. An outcome of `committed` is only ever told of a transaction that is known to have
 * committed. After `run` has ended, the transaction's handle refuses to work.
 */
export interface UnitOfWork {
  /** What handlers are given as `tx` outside of a transaction: the client library's database. */
  readonly handle: unknown
  /** Whether an error says that the transaction may succeed when tried again: a deadlock, a serialization failure. */
  readonly isTransient: (error: unknown) => boolean
  readonly run: (
    work: (transaction: Transaction) => Promise<"commit" | "rollback">,
    options: TransactionOptions,
  ) => Promise<TransactionOutcome>
}

/** The transaction that an Effect handler runs in, or the database outside of one; undefined without a unit of work. */
export const CurrentTransaction = Context.Reference<unknown>("@multistatus/core/CurrentTransaction", {
  defaultValue: () => undefined,
})
