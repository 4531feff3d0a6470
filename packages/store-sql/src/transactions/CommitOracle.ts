/**
 * Finds out the outcome of a transaction when the reply to its commit was lost.
 */
import { randomUUID } from "node:crypto"
import { setTimeout as delay } from "node:timers/promises"

import type { TransactionOutcome } from "@multistatus/core/store"
import { type Kysely, MysqlAdapter, PGliteAdapter, PostgresAdapter, sql, type Transaction } from "kysely"

/** Finds out how one transaction ended. */
export interface CommitOracle {
  /** Runs at the start of the transaction. Stores what `read` needs, and on PostgreSQL sets the statement timeout. */
  readonly prepare: <DB>(transaction: Transaction<DB>) => Promise<void>
  /** Returns whether an error of the commit means that the database has rolled the transaction back. */
  readonly isRollback: (error: unknown) => boolean
  /** Reads the outcome on another connection, after a commit without a reply. Never rejects. */
  readonly read: () => Promise<TransactionOutcome | "transient">
}

/** Time limits of an oracle. @internal */
export interface OracleOptions {
  /** Milliseconds until the deadline of the batch. */
  readonly remainingMs: number
  /** Milliseconds after which the outcome counts as unknown. */
  readonly timeoutMs: number
}

/** Makes the oracle of one transaction of `db`. */
export const commitOracle = <DB>(db: Kysely<DB>, options: OracleOptions): CommitOracle => {
  const { adapter } = db.getExecutor()
  // PGlite has no timers: a statement timeout would block the process.
  if (adapter instanceof PGliteAdapter) return embeddedOracle
  if (adapter instanceof PostgresAdapter) return postgresOracle(db, options)
  return adapter instanceof MysqlAdapter ? mysqlOracle(db, options) : embeddedOracle
}

/** Milliseconds after which one query for the outcome times out. Its connection may be dead. */
const queryTimeoutMs = 2000

// PostgreSQL knows the outcome of every recent transaction.
const postgresOracle = <DB>(db: Kysely<DB>, { remainingMs, timeoutMs }: OracleOptions): CommitOracle => {
  let prepared: PostgresMark | undefined
  return {
    prepare: async (transaction) => {
      const limit = String(remainingMs)
      const { rows } = await sql<PostgresMark>`
        select pg_current_xact_id()::text as xid, ${startTime} as start,
          set_config('statement_timeout', ${limit}, true),
          set_config('idle_in_transaction_session_timeout', ${limit}, true)`.execute(transaction)
      prepared = rows[0]
    },
    // An error with another severity ends the session and may follow a completed commit.
    isRollback: (error) => error instanceof Error && "severity" in error && error.severity === "ERROR",
    read: () =>
      pollOutcome(timeoutMs, async () => {
        const { rows } = await sql<{ readonly status: string | null; readonly start: string }>`
          select pg_xact_status(${prepared?.xid}::xid8) as status, ${startTime} as start`
          .execute(db)
          .catch(toAborted)
        const [found] = rows
        if (found?.status === "aborted") return "transient"
        if (found?.status !== "committed") return undefined
        return found.start === prepared?.start ? "committed" : "unknown"
      }),
  }
}

interface PostgresMark {
  readonly xid: string
  readonly start: string
}

// After a crash the server may reuse the id of a transaction that was not on disk yet. A crash also resets the statistics,
// so an unchanged reset time shows that there was no crash.
const startTime = sql<string>`pg_stat_get_bgwriter_stat_reset_time()::text`

// The error "transaction ID is in the future" means that the server lost the transaction in a crash.
const toAborted = (error: unknown) => {
  if (error instanceof Error && "code" in error && error.code === "22023")
    return { rows: [{ status: "aborted", start: "" }] }
  throw error
}

interface CommitTable {
  readonly multistatus_commit: { readonly id: string; readonly created_at: Date }
}

// The transaction inserts a row with a random id. To read the outcome, another connection inserts a row with the same id.
// That insert waits for a commit in progress. It fails if the transaction has committed, and otherwise it prevents a later
// commit. The time in the row shows which of the two inserted it.
const mysqlOracle = <DB>(db: Kysely<DB>, { timeoutMs }: OracleOptions): CommitOracle => {
  const id = randomUUID()
  let isMarked = false
  const on = (handle: unknown) => (handle as Kysely<CommitTable>).withoutPlugins()
  const write = (handle: unknown, created_at: Date) =>
    on(handle).insertInto("multistatus_commit").values({ id, created_at }).execute()
  return {
    prepare: async (transaction) => {
      try {
        await write(transaction, new Date())
        isMarked = true
        if (++markCount % purgeInterval === 0) void purge(on(db)).catch(() => undefined)
      } catch (error) {
        // Without the table transactions work, but the outcome of a commit without a reply stays unknown.
        if (errnoOf(error) !== noSuchTable) throw error
      }
    },
    isRollback: () => false,
    read: async () => {
      if (!isMarked) return "unknown"
      return pollOutcome(timeoutMs, async () => {
        try {
          await write(db, refutationTime)
          return "transient"
        } catch (error) {
          if (errnoOf(error) !== duplicate) throw error
          const marks = on(db).selectFrom("multistatus_commit").select("id").where("id", "=", id)
          const refutation = await marks.where("created_at", "=", refutationTime).executeTakeFirst()
          return refutation === undefined ? "committed" : "transient"
        }
      })
    },
  }
}

let markCount = 0
const purgeInterval = 1000

// Rows are deleted by id. A deletion by time would lock all rows that it scans and wait for open transactions.
const purge = async (db: Kysely<CommitTable>): Promise<void> => {
  const anHourAgo = new Date(Date.now() - 3_600_000)
  const old = db.selectFrom("multistatus_commit").select("id").where("created_at", "<", anHourAgo)
  const ids = (await old.limit(2 * purgeInterval).execute()).map(({ id }) => id)
  if (ids.length > 0) await db.deleteFrom("multistatus_commit").where("id", "in", ids).execute()
}

/** Marks a row that a lookup has inserted. */
const refutationTime = new Date("2000-01-01T12:00:00Z")

const noSuchTable = 1146
const duplicate = 1062

const errnoOf = (error: unknown): unknown => (error instanceof Error && "errno" in error ? error.errno : undefined)

// A database in the process loses no replies: a commit that fails has not happened.
const embeddedOracle: CommitOracle = {
  prepare: async () => {},
  isRollback: () => true,
  read: async () => "rolled-back",
}

const pollOutcome = async (
  timeoutMs: number,
  query: () => Promise<TransactionOutcome | "transient" | undefined>,
): Promise<TransactionOutcome | "transient"> => {
  for (const startedAt = performance.now(); performance.now() - startedAt < timeoutMs; await delay(50)) {
    try {
      const outcome = await withTimeout(Math.min(queryTimeoutMs, timeoutMs), query())
      if (outcome !== undefined && outcome !== "late") return outcome
    } catch {
      // The database may become available again.
    }
  }
  return "unknown"
}

/**
 * Waits for a promise for a limited time. Resolves with `late` on timeout.
 *
 * **Details** A late promise is not cancelled, and its rejection is ignored.
 *
 * @internal
 */
export const withTimeout = <A>(milliseconds: number, promise: Promise<A>): Promise<A | "late"> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve("late"), milliseconds)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
