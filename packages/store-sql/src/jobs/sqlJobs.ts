import { type ChunkQueue, inProcessQueue, type JobStore } from "@multistatus/core/store"
import type { Kysely } from "kysely"

import type { DatabaseDialect } from "../database/DatabaseUrl.ts"
import type { OpenedDatabase } from "../database/openDatabase.ts"
import { emitWarning, type PgBossOptions, pgBossQueue } from "./pgboss/pgBossQueue.ts"
import { soleRunner } from "./soleRunner.ts"
import { sqlJobStore } from "./sqlJobStore.ts"

/**
 * Makes an engine that stores jobs in a database and runs them: on PostgreSQL through pg-boss, with any number of servers and
 * workers; on SQLite and PGlite in this process, which continues them after a restart.
 *
 * **Details** One process runs the jobs of an SQLite file. Other processes report that and stand by, and one of them takes over
 * when it closes or dies. Jobs that they accept are found by the running process within a minute. On PostgreSQL, pg-boss
 * connects to `url`, which has to be the database of `db`. If the pool of `db` has no more connections than chunks run at once,
 * `onError` is called when the worker starts.
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
  queue: dialect === "postgres" ? pgBossOn(url, maxConnections, options) : inProcessOn(db, dialect),
})

/** The database that `sqlJobs` stores jobs in, as `openDatabase` opens it. */
export type JobDatabase<DB> = Pick<OpenedDatabase<DB>, "db" | "dialect"> &
  Partial<Pick<OpenedDatabase<DB>, "maxConnections">>

const pgBossOn = (url: string, maxConnections: number, options: PgBossOptions): ChunkQueue => {
  const queue = pgBossQueue(url, options)
  const { onError = emitWarning } = options
  return {
    ...queue,
    consume: (handlers, concurrency) => {
      if (maxConnections <= concurrency) onError(new Error(tooFewConnections(maxConnections, concurrency)))
      return queue.consume(handlers, concurrency)
    },
  }
}

const tooFewConnections = (maxConnections: number, concurrency: number): string =>
  `The database has ${maxConnections} connections, and ${concurrency} chunks run at once, each of which may hold one, so that ` +
  `requests would wait: open the database with "maxConnections" above ${concurrency}, or set "jobs.workers" lower`

const inProcessOn = <DB>(db: Kysely<DB>, dialect: DatabaseDialect): ChunkQueue =>
  dialect === "sqlite" ? soleRunner(db, inProcessQueue()) : inProcessQueue()
