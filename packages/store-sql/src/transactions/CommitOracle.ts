/**
 * What became of a transaction whose commit was never answered.
 */
import { randomUUID } from "node:crypto"
import { setTimeout as delay } from "node:timers/promises"

import type { TransactionOutcome } from "@multistatus/core/store"
import { type Kysely, MysqlAdapter, PGliteAdapter, PostgresAdapter, sql, type Transaction } from "kysely"

import { withTimeout } from "./withTimeout.ts"

/** Knows, after the fact, how one transaction ended. */
export interface CommitOracle {
  /** Called first thing in the transaction; leaves what `read` needs, and limits statements to the time that is left. */
  readonly prepare: <DB>(transaction: Transaction<DB>) => Promise<void>
  /** Whether the error of a commit is the database's own refusal: what it committed is nothing. */
  readonly isRefusal: (error: unknown) => boolean
  /** Called outside of the transaction when its commit was not answered. Never rejects. */
  readonly read: () => Promise<TransactionOutcome | "transient">
}

/** @internal */
export interface OracleOptions {
  /** Milliseconds until the deadline of the batch. */
  readonly leftMs: number
  /** Milliseconds that an answer is looked for before the outcome counts as unknown. */
  readonly patienceMs: number
}

/** Makes the oracle of one transaction on `db`. */
export const commitOracle = <DB>(db: Kysely<DB>, options: OracleOptions): CommitOracle => {
  const { adapter } = db.getExecutor()
  // PGlite has no timers of its own: a time limit that ran out would hang the process.
  if (adapter instanceof PGliteAdapter) return embeddedOracle
  if (adapter instanceof PostgresAdapter) return postgresOracle(db, options)
  return adapter instanceof MysqlAdapter ? mysqlOracle(db, options) : embeddedOracle
}

/** How long one look may take: a connection may have died without a word. */
const lookMs = 2000

// PostgreSQL knows what became of every recent transaction.
const postgresOracle = <DB>(db: Kysely<DB>, { leftMs, patienceMs }: OracleOptions): CommitOracle => {
  let prepared: { readonly xid: string; readonly life: string } | undefined
  return {
    prepare: async (transaction) => {
      const limit = String(leftMs)
      const { rows } = await sql<{ readonly xid: string; readonly life: string }>`
        select pg_current_xact_id()::text as xid, ${life} as life,
          set_config('statement_timeout', ${limit}, true),
          set_config('idle_in_transaction_session_timeout', ${limit}, true)`.execute(transaction)
      prepared = rows[0]
    },
    // Whatever ends the session as well may have been said after the commit was done.
    isRefusal: (error) => error instanceof Error && "severity" in error && error.severity === "ERROR",
    read: () =>
      ask(patienceMs, async () => {
        const { rows } = await sql<{ readonly status: string | null; readonly life: string }>`
          select pg_xact_status(${prepared?.xid}::xid8) as status, ${life} as life`
          .execute(db)
          .catch(asNeverAssigned)
        const [found] = rows
        if (found?.status === "aborted") return "transient"
        if (found?.status !== "committed") return undefined
        return found.life === prepared?.life ? "committed" : "unknown"
      }),
  }
}

// A server that crashed may have given the number of a transaction that had not reached the disk to another one. It
// counts its statistics anew then.
const life = sql<string>`pg_stat_get_bgwriter_stat_reset_time()::text`

// "transaction ID is in the future": the server has lost it in a crash.
const asNeverAssigned = (error: unknown) => {
  if (error instanceof Error && "code" in error && error.code === "22023")
    return { rows: [{ status: "aborted", life: "" }] }
  throw error
}

interface CommitTable {
  readonly multistatus_commit: { readonly id: string; readonly created_at: Date }
}

// A mark that was written with the transaction tells of it. Writing it anew waits for a commit that is still on its way,
// or else shuts it out; the time that it carries says who has written it.
const mysqlOracle = <DB>(db: Kysely<DB>, { patienceMs }: OracleOptions): CommitOracle => {
  const id = randomUUID()
  let marked = false
  const on = (handle: unknown) => (handle as Kysely<CommitTable>).withoutPlugins()
  const write = (handle: unknown, created_at: Date) =>
    on(handle).insertInto("multistatus_commit").values({ id, created_at }).execute()
  return {
    prepare: async (transaction) => {
      try {
        await write(transaction, new Date())
        marked = true
        if (++marks % purgeEvery === 0) void purge(on(db)).catch(() => undefined)
      } catch (error) {
        // Without the table transactions work, and only what became of a lost commit stays unknown.
        if (errnoOf(error) !== noSuchTable) throw error
      }
    },
    isRefusal: () => false,
    read: async () => {
      if (!marked) return "unknown"
      return ask(patienceMs, async () => {
        try {
          await write(db, refuted)
          return "transient"
        } catch (error) {
          if (errnoOf(error) !== duplicate) throw error
          const marks = on(db).selectFrom("multistatus_commit").select("id").where("id", "=", id)
          const refutation = await marks.where("created_at", "=", refuted).executeTakeFirst()
          return refutation === undefined ? "committed" : "transient"
        }
      })
    },
  }
}

let marks = 0
const purgeEvery = 1000

// By their ids: a deletion that looks for old rows locks those that it passes by, and so waits for open transactions.
const purge = async (db: Kysely<CommitTable>): Promise<void> => {
  const anHourAgo = new Date(Date.now() - 3_600_000)
  const old = db.selectFrom("multistatus_commit").select("id").where("created_at", "<", anHourAgo)
  const ids = (await old.limit(2 * purgeEvery).execute()).map(({ id }) => id)
  if (ids.length > 0) await db.deleteFrom("multistatus_commit").where("id", "in", ids).execute()
}

const refuted = new Date("2000-01-01T12:00:00Z")

const noSuchTable = 1146
const duplicate = 1062

const errnoOf = (error: unknown): unknown => (error instanceof Error && "errno" in error ? error.errno : undefined)

// Inside the process there is no reply that could be lost: a commit that fails has not happened.
const embeddedOracle: CommitOracle = {
  prepare: async () => {},
  isRefusal: () => true,
  read: async () => "rolled-back",
}

const ask = async (
  patienceMs: number,
  look: () => Promise<TransactionOutcome | "transient" | undefined>,
): Promise<TransactionOutcome | "transient"> => {
  for (const startedAt = performance.now(); performance.now() - startedAt < patienceMs; await delay(50)) {
    try {
      const outcome = await withTimeout(Math.min(lookMs, patienceMs), look())
      if (outcome !== undefined && outcome !== "late") return outcome
    } catch {
      // The database may be on its way back.
    }
  }
  return "unknown"
}
