import { IdempotencyStoreContract } from "@multistatus/core/testing"
import { expect, it } from "vitest"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"

it("answers a million random commands as the model does", async () => {
  const counts = await IdempotencyStoreContract.check({ store: memoryIdempotencyStore() }, { commands: 1_000_000 })
  for (const outcome of IdempotencyStoreContract.outcomes) expect(counts.get(outcome)).toBeGreaterThan(1_000)
})
