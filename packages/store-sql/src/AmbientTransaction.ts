/**
 * The transaction that code runs in without being handed it, so that existing repositories join without a parameter.
 */
import { AsyncLocalStorage } from "node:async_hooks"

import type { Transaction } from "kysely"

/**
 * A transaction of a unit of work, as the code below it sees it.
 *
 * @category models
 * @since 0.1.0
 */
export interface AmbientTransaction {
  state: "starting" | "open" | "ended"
  transaction: Transaction<never> | undefined
  /** What gave the transaction its connection; undefined where the dialect is not guarded. */
  driver: object | undefined
  /** The last error of a statement that says the transaction may succeed when it is tried again. */
  transientError: unknown
}

/** @internal */
export const ambientTransaction = new AsyncLocalStorage<AmbientTransaction>()

/**
 * The transaction that this code runs in; undefined outside of one.
 *
 * **Details** `DB` is taken on trust: it is the database that the unit of work was made with.
 *
 * @category getters
 * @since 0.1.0
 */
export const currentTransaction = <DB>(): Transaction<DB> | undefined => {
  const ambient = ambientTransaction.getStore()
  return ambient?.state === "open" ? (ambient.transaction as unknown as Transaction<DB>) : undefined
}
