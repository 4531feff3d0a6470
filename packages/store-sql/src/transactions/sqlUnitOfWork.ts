/**
 * Runs batches, groups and operations in transactions of an SQL database, through Kysely.
 */
import { setTimeout as delay } from "node:timers/promises"

import {
  checkOptions,
  duration,
  type DurationInput,
  flag,
  oneOf,
  type OptionGroup,
  settingsOf,
  type Transaction as CoreTransaction,
  type TransactionOutcome,
  type UnitOfWork,
  wholeNumber,
} from "@multistatus/core/store"
import type { ControlledTransaction, Kysely } from "kysely"

import { type AmbientTransaction, ambientTransaction, newAmbientTransaction } from "./AmbientTransaction.ts"
import { checkKysely } from "./checkKysely.ts"
import { commitOracle, type CommitOracle, withTimeout } from "./CommitOracle.ts"
import { isGuarded } from "./guardDialect.ts"
import { inSavepoint } from "./inSavepoint.ts"
import { isLostConnection } from "./connectionErrors.ts"
import { isConflict, isTransient } from "./transientErrors.ts"

/** Options of `sqlUnitOfWork`. */
export interface SqlUnitOfWorkOptions {
  /** Isolation level of transactions. Default: that of the database. */
  readonly isolationLevel?: "read committed" | "repeatable read" | "serializable" | undefined
  /**
   * Maximum number of attempts for a transaction that fails with a conflict or a lost connection, within the batch's
   * deadline. Default 10.
   */
  readonly attempts?: number | undefined
  /** Time after which the outcome of a commit without a reply is looked up. Default `"5 seconds"`. */
  readonly commitTimeout?: DurationInput | undefined
  /** Time after which this lookup gives up and the outcome is unknown. Default `"5 seconds"`. */
  readonly outcomeTimeout?: DurationInput | undefined
  /**
   * Accepts a database whose dialect is not wrapped with `guardDialect`. Statements that do not go through the transaction
   * are then not noticed and not rolled back. Default false.
   */
  readonly allowUnguarded?: boolean | undefined
}

const page = "strategies.md"

const sqlUnitOfWorkOptions = {
  isolationLevel: { type: oneOf("read committed", "repeatable read", "serializable"), page },
  attempts: { type: wholeNumber(), default: 10, page },
  commitTimeout: { type: duration(), default: "5 seconds", page },
  outcomeTimeout: { type: duration(), default: "5 seconds", page },
  allowUnguarded: { type: flag, default: false, page },
} satisfies OptionGroup<SqlUnitOfWorkOptions>

/**
 * Makes the unit of work of a database, for the option `unitOfWork`.
 *
 * **Details** Actions get the Kysely transaction as `tx`. Other code gets it with `currentTransaction()` or through a
 * database made with `joinTransactions`. On PostgreSQL, statements and idle time are limited to the time that remains
 * until the batch's deadline. If the reply to a commit is lost, another connection reads the outcome from the database; if
 * that fails, the outcome is `unknown`. MySQL and MariaDB need a table for this, which `migrate` creates.
 *
 * Throws a `TypeError` if the dialect of the database is not guarded (see `guardDialect`), unless `allowUnguarded` is set.
 */
export const sqlUnitOfWork = <DB>(db: Kysely<DB>, options: SqlUnitOfWorkOptions = {}): UnitOfWork => {
  checkKysely(db, "The first argument of sqlUnitOfWork")
  checkOptions(sqlUnitOfWorkOptions, options)
  const { isolationLevel, attempts, commitTimeoutMs, outcomeTimeoutMs, allowUnguarded } = settingsOf(
    sqlUnitOfWorkOptions,
    options,
  )
  if (!allowUnguarded && !isGuarded(db)) throw new TypeError(unguarded)
  const begin = (): Promise<ControlledTransaction<DB>> => {
    const transaction = db.startTransaction()
    return (isolationLevel === undefined ? transaction : transaction.setIsolationLevel(isolationLevel)).execute()
  }
  return {
    handle: db,
    isTransient,
    isUnavailable: isLostConnection,
    run: async (work, { remainingMs }) => {
      const endsAt = performance.now() + remainingMs
      for (let attempt = 1; ; attempt++) {
        const attemptMs = Math.max(1, Math.ceil(endsAt - performance.now()))
        const outcome = await runAttempt({
          begin,
          beginTimeoutMs: attemptMs,
          work,
          oracle: commitOracle(db, { remainingMs: attemptMs, timeoutMs: outcomeTimeoutMs }),
          commitTimeoutMs,
        })
        if (typeof outcome === "string") return outcome
        if (attempt >= attempts || performance.now() >= endsAt) {
          if (isLostConnection(outcome.error)) throw outcome.error
          return "conflict"
        }
        // The random delay keeps transactions that failed together from colliding again.
        await delay(Math.random() * Math.min(maximumDelayMs, 10 * 2 ** attempt))
      }
    },
  }
}

const unguarded =
  "The database of sqlUnitOfWork is not guarded: statements that do not go through the transaction would not be rolled back. " +
  "Wrap its dialect, as in new Kysely({ dialect: guardDialect(new PostgresDialect({ pool })) }), or open it with openDatabase(url). " +
  'If every statement uses the transaction, set the option "allowUnguarded"'

const maximumDelayMs = 200

interface Attempt<DB> {
  readonly begin: () => Promise<ControlledTransaction<DB>>
  /** Milliseconds after which the wait for a connection times out. */
  readonly beginTimeoutMs: number
  readonly work: Parameters<UnitOfWork["run"]>[0]
  readonly oracle: CommitOracle
  readonly commitTimeoutMs: number
}

/** A transaction that was rolled back and can be run again. */
interface Retry {
  /** The transient error. `undefined` if the transaction did not begin in time or its commit did not arrive. */
  readonly error: unknown
}

const runAttempt = async <DB>({
  begin,
  beginTimeoutMs,
  work,
  oracle,
  commitTimeoutMs,
}: Attempt<DB>): Promise<TransactionOutcome | Retry> => {
  const ambient = newAmbientTransaction()
  const beginning = ambientTransaction.run(ambient, begin)
  const begun = await withTimeout(beginTimeoutMs, beginning).catch(toRetry)
  if (begun === "late" || "error" in begun) {
    // The transaction may still begin later. It is then rolled back.
    beginning.then((transaction) => rollBack(transaction, ambient)).catch(() => undefined)
    return begun === "late" ? { error: undefined } : begun
  }
  ambient.transaction = begun as never
  ambient.state = "open"
  try {
    await oracle.prepare(begun)
    const ending = await work(toTransaction(begun, ambient))
    if (ambient.savepointError !== undefined) throw ambient.savepointError
    if (ending === "rollback" || ambient.transientError !== undefined) {
      await rollBack(begun, ambient)
      return ambient.transientError === undefined ? "rolled-back" : { error: ambient.transientError }
    }
  } catch (error) {
    await rollBack(begun, ambient)
    if (ambient.transientError !== undefined) return { error: ambient.transientError }
    return toRetry(error)
  }
  ambient.state = "committing"
  try {
    const committed = await withTimeout(commitTimeoutMs, begun.commit().execute())
    if (committed === "late") throw new Error(`The database did not reply to the commit within ${commitTimeoutMs} ms`)
    ambient.state = "committed"
    return "committed"
  } catch (error) {
    const isRolledBack = begun.isRolledBack
    // This releases the connection. The transaction has ended in any case.
    void rollBack(begun, ambient)
    // A lost connection does not tell whether the commit arrived.
    if (isConflict(error)) return { error }
    if (isRolledBack || oracle.isRollback(error)) throw error
    const outcome = await oracle.read()
    return outcome === "transient" ? { error: undefined } : outcome
  }
}

const rollBack = async <DB>(transaction: ControlledTransaction<DB>, ambient: AmbientTransaction): Promise<void> => {
  ambient.state = "rolled-back"
  // If the rollback fails, the connection is dropped and the database rolls back by itself.
  await transaction
    .rollback()
    .execute()
    .catch(() => undefined)
}

const toRetry = (error: unknown): Retry => {
  if (isTransient(error)) return { error }
  throw error
}

const toTransaction = <DB>(handle: ControlledTransaction<DB>, ambient: AmbientTransaction): CoreTransaction => ({
  handle,
  enter: (run) => ambientTransaction.run(ambient, run),
  savepoint: async (work) => void (await inSavepoint(ambient, work, (verdict) => verdict === "keep")),
})
