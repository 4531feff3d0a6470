/**
 * Transactions of an SQL database, through Kysely: atomic batches, groups, and operations that are undone alone.
 */
import { setTimeout as delay } from "node:timers/promises"

import type { Transaction as CoreTransaction, TransactionOutcome, UnitOfWork } from "@multistatus/core"
import type { ControlledTransaction, Kysely } from "kysely"

import { type AmbientTransaction, ambientTransaction } from "./AmbientTransaction.ts"
import { commitOracle, type CommitOracle } from "./CommitOracle.ts"
import { isTransient } from "./transientErrors.ts"

/**
 * How transactions are run.
 *
 * @category models
 * @since 0.1.0
 */
export interface SqlUnitOfWorkOptions {
  /** Default: the database's own. */
  readonly isolationLevel?: "read committed" | "repeatable read" | "serializable" | undefined
  /** How often a transaction is tried that rivals make fail. Default 5. */
  readonly attempts?: number | undefined
  /** Milliseconds that a commit is waited for before its outcome is looked up. Default 5000. */
  readonly commitTimeoutMs?: number | undefined
}

/**
 * Makes the unit of work of a database.
 *
 * **Details** Actions get the Kysely transaction as `tx`; code below them finds it with `currentTransaction()`, or through
 * a database made with `joinTransactions`. On PostgreSQL and PGlite statements and idle time are limited to what is left
 * of the batch's deadline. When the reply to a commit is lost, the outcome is read from the database by a new connection;
 * only where that cannot be done either is it `unknown`. MySQL and MariaDB need the store's tables for that: see `migrate`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const sqlUnitOfWork = <DB>(
  db: Kysely<DB>,
  { isolationLevel, attempts = 5, commitTimeoutMs = 5000 }: SqlUnitOfWorkOptions = {},
): UnitOfWork => {
  if (!Number.isSafeInteger(attempts) || attempts < 1) throw new TypeError(`"attempts" must be a whole number from 1`)
  const begin = (): Promise<ControlledTransaction<DB>> => {
    const transaction = db.startTransaction()
    return (isolationLevel === undefined ? transaction : transaction.setIsolationLevel(isolationLevel)).execute()
  }
  return {
    handle: db,
    isTransient,
    run: async (work, { remainingMs }) => {
      const endsAt = performance.now() + remainingMs
      for (let attempt = 1; ; attempt++) {
        const left = Math.max(1, Math.ceil(endsAt - performance.now()))
        const outcome = await tryOnce({ begin, work, oracle: commitOracle(db, left), commitTimeoutMs })
        if (outcome !== "transient") return outcome
        if (attempt >= attempts || performance.now() >= endsAt) return "conflict"
        // Rivals that fail together must not come back together.
        await delay(Math.random() * 10 * 2 ** attempt)
      }
    },
  }
}

interface Attempt<DB> {
  readonly begin: () => Promise<ControlledTransaction<DB>>
  readonly work: Parameters<UnitOfWork["run"]>[0]
  readonly oracle: CommitOracle
  readonly commitTimeoutMs: number
}

const tryOnce = async <DB>({
  begin,
  work,
  oracle,
  commitTimeoutMs,
}: Attempt<DB>): Promise<TransactionOutcome | "transient"> => {
  const ambient: AmbientTransaction = {
    state: "starting",
    transaction: undefined,
    driver: undefined,
    transientError: undefined,
  }
  const transaction = await ambientTransaction.run(ambient, begin)
  ambient.transaction = transaction as never
  ambient.state = "open"
  try {
    await oracle.prepare(transaction)
    if ((await work(toTransaction(transaction, ambient))) === "rollback") {
      await undo(transaction, ambient)
      return ambient.transientError === undefined ? "rolled-back" : "transient"
    }
  } catch (error) {
    await undo(transaction, ambient)
    if (isTransient(error)) return "transient"
    throw error
  }
  ambient.state = "ended"
  try {
    await within(commitTimeoutMs, transaction.commit().execute())
    return "committed"
  } catch (error) {
    const aborted = transaction.isRolledBack
    // Gives the connection back; what it was the connection of is over either way.
    void transaction
      .rollback()
      .execute()
      .catch(() => undefined)
    if (isTransient(error)) return "transient"
    // The database said so itself: a statement had failed, and whoever sent it took no notice.
    if (aborted) throw error
    return oracle.read()
  }
}

const undo = async <DB>(transaction: ControlledTransaction<DB>, ambient: AmbientTransaction): Promise<void> => {
  ambient.state = "ended"
  // A connection that cannot roll back any more is dropped, and the database rolls back by itself.
  await transaction
    .rollback()
    .execute()
    .catch(() => undefined)
}

class CommitTimeout extends Error {}

const within = async <A>(milliseconds: number, promise: Promise<A>): Promise<A> => {
  const timer = new AbortController()
  const expiry = delay(milliseconds, undefined, { signal: timer.signal }).then(() => {
    throw new CommitTimeout("The commit was not answered in time")
  })
  // Whichever of the two comes second is not listened to any more.
  expiry.catch(() => undefined)
  promise.catch(() => undefined)
  try {
    return await Promise.race([promise, expiry])
  } finally {
    timer.abort()
  }
}

const toTransaction = <DB>(transaction: ControlledTransaction<DB>, ambient: AmbientTransaction): CoreTransaction => {
  let opened = 0
  return {
    handle: transaction,
    enter: (run) => ambientTransaction.run(ambient, run),
    savepoint: async (work) => {
      const name = `multistatus_${++opened}`
      const named = await transaction.savepoint(name).execute()
      try {
        const verdict = await work()
        if (verdict === "keep") await named.releaseSavepoint(name).execute()
        else await named.rollbackToSavepoint(name).execute()
      } catch (error) {
        if (!transaction.isRolledBack) await named.rollbackToSavepoint(name).execute()
        throw error
      }
    },
  }
}
