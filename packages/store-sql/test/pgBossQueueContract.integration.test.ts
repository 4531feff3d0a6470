import { ChunkQueueContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { inject } from "vitest"

import { openDatabase } from "../src/openDatabase.ts"
import { pgBossQueue } from "../src/pgBossQueue.ts"

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
  { transactional: true, patienceMs: 60_000 },
)
