/** Queues of pg-boss, as the contract of chunk queues wants them. */
import { PGlite } from "@electric-sql/pglite"
import { freshDatabase } from "@multistatus/test-services"
import { Kysely, PGliteDialect } from "kysely"
import { inject } from "vitest"

import { openDatabase } from "../../../src/database/openDatabase.ts"
import { pgBossQueue } from "../../../src/jobs/pgboss/pgBossQueue.ts"
import { guardDialect } from "../../../src/transactions/guardDialect.ts"

/** On PostgreSQL, with a second client. */
export const openPgBoss = async () => {
  const url = await freshDatabase(inject("postgresUrl"))
  const { db, close } = await openDatabase<unknown>(url)
  return {
    db,
    queue: pgBossQueue(url),
    other: pgBossQueue(url),
    transaction: (run: (transaction: unknown) => Promise<void>) => db.transaction().execute(run),
    close,
  }
}

/** In PGlite, which has one client. */
export const openPgBossInPglite = async () => {
  const pglite = await PGlite.create()
  const db = new Kysely<unknown>({ dialect: guardDialect(new PGliteDialect({ pglite })) })
  const queue = pgBossQueue(pglite)
  return {
    queue,
    transaction: (run: (transaction: unknown) => Promise<void>) => db.transaction().execute(run),
    close: async () => {
      await queue.close()
      await db.destroy()
    },
  }
}
