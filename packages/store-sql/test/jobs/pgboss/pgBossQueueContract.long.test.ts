import { ChunkQueueContract } from "@multistatus/core/testing"

import { openPgBoss, openPgBossInPglite } from "./pgBossBackends.ts"

const options = { transactional: true, patienceMs: 60_000 }

ChunkQueueContract.suite("pg-boss", openPgBoss, options)
ChunkQueueContract.suite("pg-boss in PGlite", openPgBossInPglite, options)
