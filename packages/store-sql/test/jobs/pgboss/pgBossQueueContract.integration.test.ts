import { ChunkQueueContract } from "@multistatus/core/testing"
import { sql } from "kysely"

import { openPgBoss } from "./pgBossBackends.ts"

ChunkQueueContract.suite(
  "pg-boss",
  async () => {
    const { db, close, ...backend } = await openPgBoss()
    // A ref that was rejected is delivered at once: the pauses of 1, 3 and 9 seconds are left to the long tests.
    const hurry = setInterval(() => {
      void sql`update multistatus_jobs.job set start_after = now()
        where state = 'created' and start_after > now() and (data->>'rejections')::int > 0`
        .execute(db)
        // There is no such table until the queue is opened.
        .catch(() => undefined)
    }, 100)
    const closeAll = async () => {
      clearInterval(hurry)
      await close()
    }
    return { ...backend, close: closeAll }
  },
  { transactional: true, redeliveryMs: 60_000 },
)
