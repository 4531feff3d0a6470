import { QuotaStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { expect, inject, it } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { redisClient } from "../../src/connection/redisClient.ts"
import { redisQuotaStore } from "../../src/quota/redisQuotaStore.ts"
import { clusterQuotas, expectFound, mutants, redisQuotas } from "../support/quotas.ts"

QuotaStoreContract.suite("Redis", () => redisQuotas(), { runs: 300 })
QuotaStoreContract.suite("Redis Cluster", clusterQuotas, { runs: 200 })

it("refuses a prefix with a hash tag", () => {
  const client = redisClient(inject("redisUrl"))
  expect(() => redisQuotaStore(client, { prefix: "{x}" })).toThrow("braces")
  client.disconnect()
})

it("works after its scripts were flushed", async () => {
  const url = await freshDatabase(inject("redisUrl"))
  const client = redisClient(url)
  await checkRedis(client)
  const store = redisQuotaStore(client)
  await client.script("FLUSH")
  await QuotaStoreContract.check(store, { runs: 5 })
  client.disconnect()
})

// All mistakes, and many more histories, run with the long tests.
it("a mistake in the script is found: a denied charge", () => expectFound(mutants["a denied charge"]!))
