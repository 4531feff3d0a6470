/**
 * A database that existing code can go on using inside transactions.
 */
import type { Kysely, Transaction } from "kysely"

import { ambientTransaction, currentTransaction } from "./AmbientTransaction.ts"
import { inSavepoint } from "./inSavepoint.ts"

/**
 * A database whose statements join the transaction they are called in, and go to the database itself outside of one.
 *
 * **Details** A transaction that the code begins by itself (`db.transaction().execute(…)`) becomes a savepoint inside the
 * ambient one; its isolation level and access mode are then those of the ambient one. Transactions begun with
 * `startTransaction` cannot join, and fail.
 *
 * **Gotchas** `DB` must be the database that the unit of work was made with.
 */
export const joinTransactions = <DB>(db: Kysely<DB>): Kysely<DB> =>
  new Proxy(db, {
    get: (database, name) => {
      const ambient = currentTransaction<DB>()
      if (ambient !== undefined && name === "transaction") return () => nested(ambient)
      const host: object = ambient ?? database
      const value: unknown = Reflect.get(host, name, host)
      return typeof value === "function" ? value.bind(host) : value
    },
  })

const nested = <DB>(transaction: Transaction<DB>) => {
  const builder = {
    setAccessMode: () => builder,
    setIsolationLevel: () => builder,
    execute: <A>(work: (transaction: Transaction<DB>) => Promise<A>): Promise<A> =>
      inSavepoint(ambientTransaction.getStore()!, () => work(transaction)),
  }
  return builder
}
