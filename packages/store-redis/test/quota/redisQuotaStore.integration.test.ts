import { QuotaStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import type { Cluster, Redis } from "ioredis"
import { expect, inject, it } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { quotaScripts } from "../../src/quota/QuotaScripts.ts"
import { redisClient, redisCluster } from "../../src/connection/redisClient.ts"
import { quotaStoreOn, redisQuotaStore } from "../../src/quota/redisQuotaStore.ts"

const backendOf = async (
  connect: () => Redis | Cluster,
  scripts = quotaScripts,
): Promise<QuotaStoreContract.Backend> => {
  const [client, other] = [connect(), connect()]
  await Promise.all([checkRedis(client), checkRedis(other)])
  return {
    store: quotaStoreOn(client, "test", scripts),
    other: quotaStoreOn(other, "test", scripts),
    close: async () => {
      client.disconnect()
      other.disconnect()
    },
  }
}

const redis = async (scripts = quotaScripts) => {
  const url = await freshDatabase(inject("redisUrl"))
  return backendOf(() => redisClient(url), scripts)
}

QuotaStoreContract.suite("Redis", () => redis())
QuotaStoreContract.suite("Redis Cluster", () => backendOf(() => redisCluster([inject("redisClusterUrl")])))

it("refuses a prefix that would say where keys belong", () => {
  const client = redisClient(inject("redisUrl"))
  expect(() => redisQuotaStore(client, { prefix: "{x}" })).toThrow("braces")
  client.disconnect()
})

it("goes on after its scripts were flushed", async () => {
  const url = await freshDatabase(inject("redisUrl"))
  const client = redisClient(url)
  await checkRedis(client)
  const store = redisQuotaStore(client)
  await client.script("FLUSH")
  await QuotaStoreContract.check(store, { runs: 5 })
  client.disconnect()
})

it.each([
  [
    "room for what is not there",
    (text: string) => text.replace("room = d.available + epsilon - d.base", "room = d.available + epsilon"),
  ],
  [
    "the arrival that was",
    (text: string) =>
      text.replace(
        "arrival = math.min(math.max(arrival, now), now + window)",
        "arrival = math.min(arrival, now + window)",
      ),
  ],
  ["every policy by itself", (text: string) => text.replace("most = math.min(most, d.fitting)", "most = d.fitting")],
  [
    "a charge of what was denied",
    (text: string) => text.replace("if granted then\n    arrival", "if true then\n    arrival"),
  ],
  ["no minimum", (text: string) => text.replace("most >= minimum and ", "")],
  ["one operation more", (text: string) => text.replace("math.floor(room / cost)", "math.ceil(room / cost)")],
])("a mistake is found: %s", async (_, change) => {
  const charge = change(quotaScripts.charge)
  expect(charge).not.toBe(quotaScripts.charge)
  const { store, close } = await redis({ ...quotaScripts, charge })
  await expect(QuotaStoreContract.check(store, { runs: 2_000 })).rejects.toThrow()
  await close?.()
})
