/**
 * A database handle for existing code whose statements join the current transaction.
 */
import type { Kysely, Transaction } from "kysely"

import { ambientTransaction, currentTransaction } from "./AmbientTransaction.ts"
import { checkKysely } from "./checkKysely.ts"
import { inSavepoint } from "./inSavepoint.ts"

/**
 * Returns a handle whose statements run in the current transaction, or directly in the database outside of a transaction.
 *
 * **Details** Inside a transaction, `db.transaction().execute(…)` opens a savepoint; the isolation level and the access mode
 * are those of the current transaction. `startTransaction` is not supported there and throws.
 *
 * **Gotchas** `db` must be the database of the unit of work.
 */
export const joinTransactions = <DB>(db: Kysely<DB>): Kysely<DB> => {
  checkKysely(db, "The first argument of joinTransactions")
  return new Proxy(db, {
    get: (database, name) => {
      const transaction = currentTransaction<DB>()
      if (transaction !== undefined && name === "transaction") return () => savepointBuilder(transaction)
      const handle: object = transaction ?? database
      const value: unknown = Reflect.get(handle, name, handle)
      return typeof value === "function" ? value.bind(handle) : value
    },
  })
}

const savepointBuilder = <DB>(transaction: Transaction<DB>) => {
  const builder = {
    setAccessMode: () => builder,
    setIsolationLevel: () => builder,
    execute: <A>(work: (transaction: Transaction<DB>) => Promise<A>): Promise<A> =>
      inSavepoint(ambientTransaction.getStore()!, () => work(transaction)),
  }
  return builder
}
