/**
 * Transactions of an SQL database, through Kysely: atomic batches, groups, and operations that are undone alone.
 */
import { setTimeout as delay } from "node:timers/promises"

import {
  checkOptions,
  duration,
  type DurationInput,
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
import { commitOracle, type CommitOracle } from "./CommitOracle.ts"
import { inSavepoint } from "./inSavepoint.ts"
import { isTransient } from "./transientErrors.ts"
import { withTimeout } from "./withTimeout.ts"

/** How transactions are run. */
export interface SqlUnitOfWorkOptions {
  /** Default: the database's own. */
  readonly isolationLevel?: "read committed" | "repeatable read" | "serializable" | undefined
  /** How often a transaction is tried that rivals make fail, within the deadline of its batch. Default 10. */
  readonly attempts?: number | undefined
  /** How long a commit may take before its outcome is looked up. Default `"5 seconds"`. */
  readonly commitTimeout?: DurationInput | undefined
  /** How long the outcome of a commit is looked for before it counts as unknown. Default `"5 seconds"`. */
  readonly outcomeTimeout?: DurationInput | undefined
}

const page = "strategies.md"

const sqlUnitOfWorkOptions = {
  isolationLevel: { type: oneOf("read committed", "repeatable read", "serializable"), page },
  attempts: { type: wholeNumber(), default: 10, page },
  commitTimeout: { type: duration(), default: "5 seconds", page },
  outcomeTimeout: { type: duration(), default: "5 seconds", page },
} satisfies OptionGroup<SqlUnitOfWorkOptions>

/**
 * Makes the unit of work of a database.
 *
 * **Details** Actions get the Kysely transaction as `tx`; code below them finds it with `currentTransaction()`, or through
 * a database made with `joinTransactions`. On PostgreSQL statements and idle time are limited to what is left of
 * the batch's deadline. When the reply to a commit is lost, the outcome is read from the database by a new connection;
 * only where that cannot be done either is it `unknown`. MySQL and MariaDB need the store's tables for that: see `migrate`.
 */
export const sqlUnitOfWork = <DB>(db: Kysely<DB>, options: SqlUnitOfWorkOptions = {}): UnitOfWork => {
  checkOptions(sqlUnitOfWorkOptions, options)
  const { isolationLevel, attempts, commitTimeoutMs, outcomeTimeoutMs } = settingsOf(sqlUnitOfWorkOptions, options)
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
        const outcome = await tryOnce({
          begin,
          left,
          work,
          oracle: commitOracle(db, { leftMs: left, patienceMs: outcomeTimeoutMs }),
          commitTimeoutMs,
        })
        if (outcome !== "transient") return outcome
        if (attempt >= attempts || performance.now() >= endsAt) return "conflict"
        // Rivals that fail together must not come back together.
        await delay(Math.random() * Math.min(longestPauseMs, 10 * 2 ** attempt))
      }
    },
  }
}

const longestPauseMs = 200

interface Attempt<DB> {
  readonly begin: () => Promise<ControlledTransaction<DB>>
  /** Milliseconds in which there has to be a connection. */
  readonly left: number
  readonly work: Parameters<UnitOfWork["run"]>[0]
  readonly oracle: CommitOracle
  readonly commitTimeoutMs: number
}

const tryOnce = async <DB>({
  begin,
  left,
  work,
  oracle,
  commitTimeoutMs,
}: Attempt<DB>): Promise<TransactionOutcome | "transient"> => {
  const ambient = newAmbientTransaction()
  const beginning = ambientTransaction.run(ambient, begin)
  const begun = await withTimeout(left, beginning).catch(asTransient)
  if (begun === "late" || begun === "transient") {
    // It may yet begin, for nobody.
    beginning.then((transaction) => undo(transaction, ambient)).catch(() => undefined)
    return "transient"
  }
  ambient.transaction = begun as never
  ambient.state = "open"
  try {
    await oracle.prepare(begun)
    const ending = await work(toTransaction(begun, ambient))
    if (ambient.broken !== undefined) throw ambient.broken
    if (ending === "rollback" || ambient.transientError !== undefined) {
      await undo(begun, ambient)
      return ambient.transientError === undefined ? "rolled-back" : "transient"
    }
  } catch (error) {
    await undo(begun, ambient)
    if (ambient.transientError !== undefined || isTransient(error)) return "transient"
    throw error
  }
  ambient.state = "ending"
  try {
    const committed = await withTimeout(commitTimeoutMs, begun.commit().execute())
    if (committed === "late") throw new Error("The commit was not answered in time")
    ambient.state = "committed"
    return "committed"
  } catch (error) {
    const aborted = begun.isRolledBack
    // Gives the connection back; what it was the connection of is over either way.
    void undo(begun, ambient)
    if (isTransient(error)) return "transient"
    if (aborted || oracle.isRefusal(error)) throw error
    return oracle.read()
  }
}

const undo = async <DB>(transaction: ControlledTransaction<DB>, ambient: AmbientTransaction): Promise<void> => {
  ambient.state = "undone"
  // A connection that cannot roll back any more is dropped, and the database rolls back by itself.
  await transaction
    .rollback()
    .execute()
    .catch(() => undefined)
}

const asTransient = (error: unknown): "transient" => {
  if (isTransient(error)) return "transient"
  throw error
}

const toTransaction = <DB>(handle: ControlledTransaction<DB>, ambient: AmbientTransaction): CoreTransaction => ({
  handle,
  enter: (run) => ambientTransaction.run(ambient, run),
  savepoint: async (work) => void (await inSavepoint(ambient, work, (verdict) => verdict === "keep")),
})
