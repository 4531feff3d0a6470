/**
 * A database that existing code can go on using inside transactions.
 */
import type { Kysely, Transaction } from "kysely"

import { currentTransaction } from "./AmbientTransaction.ts"

let savepoints = 0

/**
 * A database whose statements join the transaction they are called in, and go to the database itself outside of one.
 *
 * **Details** A transaction that the code begins by itself (`db.transaction().execute(…)`) becomes a savepoint inside the
 * ambient one; its isolation level and access mode are then those of the ambient one. Transactions begun with
 * `startTransaction` cannot join, and fail.
 *
 * **Gotchas** `DB` must be the database that the unit of work was made with.
 *
 * @category constructors
 * @since 0.1.0
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

const nested = <DB>(ambient: Transaction<DB>) => {
  const builder = {
    setAccessMode: () => builder,
    setIsolationLevel: () => builder,
    execute: async <A>(work: (transaction: Transaction<DB>) => Promise<A>): Promise<A> => {
      const savepoint = savepointsOf(ambient)
      const name = `multistatus_nested_${++savepoints}`
      await savepoint.savepoint(name).execute()
      try {
        const answer = await work(ambient)
        await savepoint.releaseSavepoint(name as never).execute()
        return answer
      } catch (error) {
        await savepoint.rollbackToSavepoint(name as never).execute()
        throw error
      }
    },
  }
  return builder
}

// A unit of work opens controlled transactions, which have savepoints; their type says so only where they are opened.
const savepointsOf = <DB>(transaction: Transaction<DB>): SavepointCommands =>
  transaction as unknown as SavepointCommands

interface SavepointCommands {
  readonly savepoint: (name: string) => { readonly execute: () => Promise<unknown> }
  readonly releaseSavepoint: (name: never) => { readonly execute: () => Promise<unknown> }
  readonly rollbackToSavepoint: (name: never) => { readonly execute: () => Promise<unknown> }
}
