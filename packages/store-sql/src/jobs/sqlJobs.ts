import { type ChunkQueue, inProcessQueue, type JobStore } from "@multistatus/core/store"
import type { Kysely } from "kysely"

import type { DatabaseDialect } from "../database/DatabaseUrl.ts"
import type { OpenedDatabase } from "../database/openDatabase.ts"
import { emitWarning, type PgBossOptions, pgBossQueue } from "./pgboss/pgBossQueue.ts"
import { soleRunner } from "./soleRunner.ts"
import { sqlJobStore } from "./sqlJobStore.ts"

/**
 * Keeps jobs in a database, and runs them: on PostgreSQL by pg-boss, for any number of servers and workers; on SQLite and
 * PGlite in this process, which goes on with them when it is started again.
 *
 * **Details** Of the processes on one SQLite file one runs jobs; another says so and stands by, and takes over when that one
 * has closed or died; what it takes in meanwhile is found by the one that runs within a minute. `url` is where pg-boss
 * connects to, on PostgreSQL: the database that `db` is a handle of. Where its pool has no more connections than chunks run at
 * once, `onError` is told of it at the start.
 *
 * **Example** (On PostgreSQL)
 * ```ts
 * const database = await openDatabase(url)
 * await migrate(database.db, database.dialect)
 * const batch = fastifyBatch({ jobs: { engine: sqlJobs(database, url) } })
 * ```
 */
export const sqlJobs = <DB>(
  { db, dialect, maxConnections = Infinity }: JobDatabase<DB>,
  url: string,
  options: PgBossOptions = {},
): { readonly store: JobStore; readonly queue: ChunkQueue } => ({
  store: sqlJobStore(db),
  queue: dialect === "postgres" ? onPostgres(url, maxConnections, options) : withinProcess(db, dialect),
})

/** The database that `sqlJobs` stores jobs in, as `openDatabase` opens it. */
export type JobDatabase<DB> = Pick<OpenedDatabase<DB>, "db" | "dialect"> &
  Partial<Pick<OpenedDatabase<DB>, "maxConnections">>

const onPostgres = (url: string, maxConnections: number, options: PgBossOptions): ChunkQueue => {
  const queue = pgBossQueue(url, options)
  const { onError = emitWarning } = options
  return {
    ...queue,
    consume: (handlers, concurrency) => {
      if (maxConnections <= concurrency) onError(new Error(tooFew(maxConnections, concurrency)))
      return queue.consume(handlers, concurrency)
    },
  }
}

const tooFew = (maxConnections: number, concurrency: number): string =>
  `The database has ${maxConnections} connections, and each of the ${concurrency} chunks that run at once may hold one, ` +
  `so that requests would wait for them: open it with "maxConnections" above ${concurrency}, or set "jobs.workers" lower`

const withinProcess = <DB>(db: Kysely<DB>, dialect: DatabaseDialect): ChunkQueue =>
  dialect === "sqlite" ? soleRunner(db, inProcessQueue()) : inProcessQueue()
