/**
 * What became of a transaction whose commit was never answered.
 */
import { randomUUID } from "node:crypto"
import { setTimeout as delay } from "node:timers/promises"

import type { TransactionOutcome } from "@multistatus/core"
import { type Kysely, MysqlAdapter, PostgresAdapter, sql, type Transaction } from "kysely"

/**
 * Knows, after the fact, how one transaction ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommitOracle {
  /** Called first thing in the transaction; leaves what `read` needs, and limits statements to the time that is left. */
  readonly prepare: <DB>(transaction: Transaction<DB>) => Promise<void>
  /** Called outside of the transaction when its commit failed or was not answered. Never rejects. */
  readonly read: () => Promise<TransactionOutcome | "transient">
}

/**
 * Makes the oracle of one transaction on `db`, with `leftMs` until the deadline of its batch.
 *
 * @category constructors
 * @since 0.1.0
 */
export const commitOracle = <DB>(db: Kysely<DB>, leftMs: number): CommitOracle => {
  const { adapter } = db.getExecutor()
  if (adapter instanceof PostgresAdapter) return postgresOracle(db, leftMs)
  return adapter instanceof MysqlAdapter ? mysqlOracle(db) : embeddedOracle
}

/** How long an answer is looked for, in milliseconds, before the outcome counts as unknown. */
const patienceMs = 5000

// PostgreSQL knows what became of every recent transaction.
const postgresOracle = <DB>(db: Kysely<DB>, leftMs: number): CommitOracle => {
  let xid: string | undefined
  return {
    prepare: async (transaction) => {
      const limit = String(leftMs)
      const { rows } = await sql<{ readonly xid: string }>`select pg_current_xact_id()::text as xid,
        set_config('statement_timeout', ${limit}, true),
        set_config('idle_in_transaction_session_timeout', ${limit}, true)`.execute(transaction)
      xid = rows[0]?.xid
    },
    read: () =>
      ask(async () => {
        const { rows } = await sql<{
          readonly status: string | null
        }>`select pg_xact_status(${xid}::xid8) as status`.execute(db)
        const status = rows[0]?.status
        if (status === "committed") return "committed"
        return status === "aborted" ? "transient" : undefined
      }),
  }
}

interface CommitTable {
  readonly multistatus_commit: { readonly id: string; readonly created_at: Date }
}

// A mark that was written with the transaction tells of it; writing it anew waits for, and then shuts out, a commit that
// is still on its way.
const mysqlOracle = <DB>(db: Kysely<DB>): CommitOracle => {
  const id = randomUUID()
  const write = (on: Kysely<CommitTable>) =>
    on.insertInto("multistatus_commit").values({ id, created_at: new Date() }).execute()
  return {
    prepare: async (transaction) => void (await write(transaction as unknown as Kysely<CommitTable>)),
    read: () =>
      ask(async () => {
        try {
          await write(db as unknown as Kysely<CommitTable>)
          return "transient"
        } catch (error) {
          if (error instanceof Error && "errno" in error && error.errno === 1062) return "committed"
          throw error
        }
      }),
  }
}

// Inside the process there is no reply that could be lost: a commit that fails has not happened.
const embeddedOracle: CommitOracle = {
  prepare: async () => {},
  read: async () => "rolled-back",
}

const ask = async (
  look: () => Promise<TransactionOutcome | "transient" | undefined>,
): Promise<TransactionOutcome | "transient"> => {
  for (const startedAt = performance.now(); performance.now() - startedAt < patienceMs; await delay(50)) {
    try {
      const outcome = await look()
      if (outcome !== undefined) return outcome
    } catch {
      // The database may be on its way back.
    }
  }
  return "unknown"
}
