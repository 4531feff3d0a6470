import { IdempotencyStoreContract } from "@multistatus/core/testing"
import { it } from "vitest"
import { serverClockBackend } from "../support/backends.ts"
import { clockMutants, mutants, mutantTests } from "../support/idempotencyMutants.ts"

mutantTests(mutants, clockMutants)

it("the scripts agree with the model by the server's clock in twenty thousand commands", async () => {
  const backend = await serverClockBackend()
  await IdempotencyStoreContract.check(backend, { commands: 20_000, shrinks: false })
  await backend.close?.()
})
