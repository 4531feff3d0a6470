import { QuotaStoreContract } from "@multistatus/core/testing"
import { it } from "vitest"
import { clusterQuotas, expectFound, mutants, redisQuotas } from "../support/quotas.ts"

it.each([
  ["Redis", () => redisQuotas()],
  ["Redis Cluster", clusterQuotas],
])("answers five thousand random histories as the model does: %s", async (_, open) => {
  const { store, close } = await open()
  await QuotaStoreContract.check(store, { runs: 5_000 })
  await close?.()
})

it.each(Object.entries(mutants))("a mistake in the script is found: %s", async (_, mutant) => {
  await expectFound(mutant)
})
