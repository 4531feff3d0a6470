/**
 * The transaction that code runs in without being handed it, so that existing repositories join without a parameter.
 */
import { AsyncLocalStorage } from "node:async_hooks"

import type { ControlledTransaction, Transaction } from "kysely"

/** A transaction of a unit of work, as the code below it sees it. */
export interface AmbientTransaction {
  /** `undone`: rolled back, or nobody knows. */
  state: "starting" | "open" | "ending" | "committed" | "undone"
  transaction: ControlledTransaction<never> | undefined
  /** What gave the transaction its connection; undefined where the dialect is not guarded. */
  driver: object | undefined
  /** The last error of a statement that says the transaction may succeed when it is tried again. */
  transientError: unknown
  /** Why a savepoint could not be undone: the transaction holds what it must not. */
  broken: unknown
}

/** @internal */
export const newAmbientTransaction = (): AmbientTransaction => ({
  state: "starting",
  transaction: undefined,
  driver: undefined,
  transientError: undefined,
  broken: undefined,
})

/** @internal */
export const ambientTransaction = new AsyncLocalStorage<AmbientTransaction>()

/**
 * Whether code runs in a transaction, or runs on after its transaction was undone.
 *
 * @internal
 */
export const isInside = ({ state }: AmbientTransaction): boolean => state !== "starting" && state !== "committed"

/**
 * The transaction that this code runs in; undefined outside of one.
 *
 * **Details** `DB` is taken on trust: it is the database that the unit of work was made with. Code that runs on after
 * its transaction was undone still finds it, and is refused: what it did outside would stay. After a commit there is none.
 */
export const currentTransaction = <DB>(): Transaction<DB> | undefined => {
  const ambient = ambientTransaction.getStore()
  return ambient !== undefined && isInside(ambient) ? (ambient.transaction as unknown as Transaction<DB>) : undefined
}
