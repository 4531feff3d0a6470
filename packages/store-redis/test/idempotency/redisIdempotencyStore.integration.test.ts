import { memoryIdempotencyStore } from "@multistatus/core"
import { IdempotencyStoreContract } from "@multistatus/core/testing"
import { clusterBackend, redisBackend } from "../support/backends.ts"

const capabilities = { purges: false }

IdempotencyStoreContract.suite("Redis", redisBackend, { capabilities, commands: 3_000 })

IdempotencyStoreContract.suite("Redis Cluster", clusterBackend, { capabilities, commands: 2_000 })

IdempotencyStoreContract.differential("Redis and Redis Cluster", redisBackend, clusterBackend, { commands: 2_000 })

IdempotencyStoreContract.differential("Redis and memory", redisBackend, () => ({ store: memoryIdempotencyStore() }), {
  commands: 2_000,
})
