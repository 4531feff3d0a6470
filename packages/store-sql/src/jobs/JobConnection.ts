/** The database handle of the job store's statements, and what they share. */
import { type Kysely, type RawBuilder, sql } from "kysely"

import type { DatabaseDialect } from "../database/DatabaseUrl.ts"

/**
 * Marks a statement that runs for every chunk: PostgreSQL prepares it. Do not mark statements that return all columns of a
 * table, because a prepared one fails after a migration has added a column.
 *
 * @internal
 */
export const prepared = sql.raw("/* multistatus prepare */")

/** A database, or an open transaction. @internal */
export class JobConnection {
  readonly db: Kysely<unknown>
  /** Whether the database has row locks. SQLite needs none, because it has one writer. */
  readonly hasRowLocks: boolean

  constructor(db: Kysely<unknown>, dialect: DatabaseDialect) {
    this.db = db
    this.hasRowLocks = dialect !== "sqlite"
  }

  /** Locks the selected rows until the transaction ends. */
  get forUpdate(): RawBuilder<unknown> {
    return this.hasRowLocks ? sql`for update` : sql``
  }

  /** The time within a statement, in milliseconds since 1970; `given` if it is defined. */
  clock(given: number | undefined): RawBuilder<number> {
    if (given !== undefined) return this.hasRowLocks ? sql<number>`${given}::float8` : sql<number>`${given}`
    return this.hasRowLocks
      ? sql<number>`floor(extract(epoch from clock_timestamp()) * 1000)::float8`
      : sql<number>`cast(unixepoch('now', 'subsec') * 1000 as integer)`
  }

  /** The time, in milliseconds since 1970; `given` if it is defined. */
  async now(given: number | undefined): Promise<number> {
    if (given !== undefined) return given
    const { rows } = await sql<{ now: number }>`select ${this.clock(given)} as now`.execute(this.db)
    return Number(rows[0]!.now)
  }
}
