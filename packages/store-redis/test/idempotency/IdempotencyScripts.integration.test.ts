import { IdempotencyStoreContract } from "@multistatus/core/testing"
import { describe, it } from "vitest"
import { redisBackend, serverClockBackend } from "../support/backends.ts"
import { clockMutants, type Mutant, mutants, mutantTests } from "../support/idempotencyMutants.ts"

describe("the scripts", () => {
  it("agree with the model", { timeout: 120_000 }, async () => {
    const backend = await redisBackend()
    await IdempotencyStoreContract.check(backend, { commands: 1_200 })
    await backend.close?.()
  })

  it("agree with the model by the server's clock", { timeout: 120_000 }, async () => {
    const backend = await serverClockBackend()
    await IdempotencyStoreContract.check(backend, { commands: 2_000, shrinks: false })
    await backend.close?.()
  })
})

const oneForEachScript = (all: ReadonlyArray<Mutant>) =>
  all.filter(([script], index) => all.findLastIndex(([other]) => other === script) === index)

// All of them run with the long tests.
mutantTests(oneForEachScript(mutants), oneForEachScript(clockMutants))
