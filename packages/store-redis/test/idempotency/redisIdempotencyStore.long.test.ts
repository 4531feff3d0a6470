import { IdempotencyStoreContract } from "@multistatus/core/testing"
import { expect, it } from "vitest"
import { clusterBackend, redisBackend } from "../support/backends.ts"

it.each([
  ["Redis", () => redisBackend()],
  ["Redis Cluster", clusterBackend],
])("answers a hundred thousand random commands as the model does: %s", async (_, make) => {
  const backend = await make()
  const counts = await IdempotencyStoreContract.check(backend, { commands: 100_000 })
  for (const outcome of IdempotencyStoreContract.outcomes) expect(counts.get(outcome)).toBeGreaterThan(100)
  await backend.close?.()
})
