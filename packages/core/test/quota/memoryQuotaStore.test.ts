import { expect, it } from "vitest"
import { memoryQuotaStore } from "../../src/quota/memoryQuotaStore.ts"
import * as QuotaStoreContract from "../../src/testing/quota-store/QuotaStoreContract.ts"
import { account, demand, start } from "../../src/testing/quota-store/Fixture.ts"

QuotaStoreContract.suite("memory", () => ({ store: memoryQuotaStore() }))

it("keeps `maxSubjects` subjects and first evicts those that have their whole quota again", async () => {
  const store = memoryQuotaStore({ maxSubjects: 3 })
  const [full, busy, other, last] = [account(store), account(store), account(store), account(store)]
  await busy!.charge(demand(5), 5, start)
  await full!.charge(demand(1), 1, start - 5_000)
  await other!.charge(demand(1), 1, start)
  await last!.charge(demand(1), 1, start)
  expect(await busy!.remaining(start)).toBe(5_000)
  expect(await other!.remaining(start)).toBe(9_000)
})

it("rejects invalid options", () => {
  expect(() => memoryQuotaStore({ maxSubjects: 0 })).toThrow(`"maxSubjects"`)
})
