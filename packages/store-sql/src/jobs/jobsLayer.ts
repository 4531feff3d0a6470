/** The job store and the chunk queue of an SQL database, as a layer. */
import { ChunkQueue, JobStore } from "@multistatus/core/effect"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlDatabase } from "../database/SqlDatabase.ts"
import type { PgBossOptions } from "./pgboss/pgBossQueue.ts"
import { sqlJobs } from "./sqlJobs.ts"

/** Keeps jobs in the database of the context. Run `migrate` on the database first. `Jobs` closes the queue. */
export const layer = (options?: PgBossOptions): Layer.Layer<JobStore | ChunkQueue, never, SqlDatabase> =>
  Layer.effectContext(
    Effect.map(SqlDatabase, (database) => {
      const { store, queue } = sqlJobs(database, database.url, options)
      return Context.make(JobStore, store).pipe(Context.add(ChunkQueue, queue))
    }),
  )
