/** Stores of quotas on Redis, and mistakes that somebody could make in the script that charges them. */
import { QuotaStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import type { Cluster, Redis } from "ioredis"
import { expect, inject } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { redisClient, redisCluster } from "../../src/connection/redisClient.ts"
import { quotaScripts } from "../../src/quota/QuotaScripts.ts"
import { quotaStoreOn } from "../../src/quota/redisQuotaStore.ts"

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

/** A database of its own, and two clients of it. */
export const redisQuotas = async (scripts = quotaScripts) => {
  const url = await freshDatabase(inject("redisUrl"))
  return backendOf(() => redisClient(url), scripts)
}

/** The shared cluster, and two clients of it. */
export const clusterQuotas = () => backendOf(() => redisCluster([inject("redisClusterUrl")]))

/** Changes the script so that it is wrong. */
export type Mutant = (script: string) => string

/** Mistakes in the script, by what is wrong. */
export const mutants: Readonly<Record<string, Mutant>> = {
  "no base cost": (text) => text.replace("room = d.available + epsilon - d.base", "room = d.available + epsilon"),
  "the previous arrival": (text) =>
    text.replace(
      "arrival = math.min(math.max(arrival, now), now + window)",
      "arrival = math.min(arrival, now + window)",
    ),
  "each policy by itself": (text) => text.replace("most = math.min(most, d.fitting)", "most = d.fitting"),
  "a denied charge": (text) => text.replace("if granted then\n    arrival", "if true then\n    arrival"),
  "no minimum": (text) => text.replace("most >= minimum and ", ""),
  "one operation more": (text) => text.replace("math.floor(room / cost)", "math.ceil(room / cost)"),
}

/** Expects that the contract finds the mistake. */
export const expectFound = async (mutant: Mutant): Promise<void> => {
  const charge = mutant(quotaScripts.charge)
  expect(charge).not.toBe(quotaScripts.charge)
  const { store, close } = await redisQuotas({ ...quotaScripts, charge })
  await expect(QuotaStoreContract.check(store, { runs: 2_000 })).rejects.toThrow()
  await close?.()
}
