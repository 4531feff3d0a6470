import { PGlite } from "@electric-sql/pglite"
import { ChunkQueueContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { Kysely, PGliteDialect } from "kysely"
import { inject } from "vitest"

import { guardDialect } from "../../../src/transactions/guardDialect.ts"
import { openDatabase } from "../../../src/database/openDatabase.ts"
import { pgBossQueue } from "../../../src/jobs/pgboss/pgBossQueue.ts"

ChunkQueueContract.suite(
  "pg-boss",
  async () => {
    const url = await freshDatabase(inject("postgresUrl"))
    const { db, close } = await openDatabase<unknown>(url)
    return {
      queue: pgBossQueue(url),
      other: pgBossQueue(url),
      transaction: (run) => db.transaction().execute(run),
      close,
    }
  },
  { transactional: true, redeliveryMs: 60_000 },
)

ChunkQueueContract.suite(
  "pg-boss in PGlite",
  async () => {
    const pglite = await PGlite.create()
    const db = new Kysely<unknown>({ dialect: guardDialect(new PGliteDialect({ pglite })) })
    const queue = pgBossQueue(pglite)
    return {
      queue,
      transaction: (run) => db.transaction().execute(run),
      close: async () => {
        await queue.close()
        await db.destroy()
      },
    }
  },
  { transactional: true, redeliveryMs: 60_000 },
)
