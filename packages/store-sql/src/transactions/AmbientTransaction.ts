/**
 * The transaction of the current asynchronous context. Existing code can join it without a parameter.
 */
import { AsyncLocalStorage } from "node:async_hooks"

import type { ControlledTransaction, Transaction } from "kysely"

/** The state of a transaction that a unit of work runs. */
export interface AmbientTransaction {
  /** `rolled-back` also stands for an unknown outcome. */
  state: "starting" | "open" | "committing" | "committed" | "rolled-back"
  transaction: ControlledTransaction<never> | undefined
  /** The driver that provided the connection. `undefined` if the dialect is not guarded. */
  driver: object | undefined
  /** The last transient error of a statement, after which the transaction must be retried. */
  transientError: unknown
  /** The error of a failed rollback to a savepoint, after which the transaction must not be committed. */
  savepointError: unknown
}

/** Creates the state of a transaction that starts. @internal */
export const newAmbientTransaction = (): AmbientTransaction => ({
  state: "starting",
  transaction: undefined,
  driver: undefined,
  transientError: undefined,
  savepointError: undefined,
})

/** Holds the transaction of the current asynchronous context. @internal */
export const ambientTransaction = new AsyncLocalStorage<AmbientTransaction>()

/**
 * Returns whether code runs in a transaction, or still runs after its transaction was rolled back.
 *
 * @internal
 */
export const isInside = ({ state }: AmbientTransaction): boolean => state !== "starting" && state !== "committed"

/**
 * Returns the transaction that the calling code runs in, or `undefined` outside of a transaction.
 *
 * **Details** `DB` is the schema type of the database of the unit of work; it is not checked. Code that still runs after
 * its transaction was rolled back gets that transaction, and its statements fail: outside of the transaction they would
 * not be rolled back. After a commit the result is `undefined`.
 */
export const currentTransaction = <DB>(): Transaction<DB> | undefined => {
  const ambient = ambientTransaction.getStore()
  return ambient !== undefined && isInside(ambient) ? (ambient.transaction as unknown as Transaction<DB>) : undefined
}
