import type { IdempotencyStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import type { Cluster, Redis } from "ioredis"
import { inject } from "vitest"
import { checkRedis } from "../../src/checkRedis.ts"
import { hashTag } from "../../src/hashTag.ts"
import { idempotencyScripts, type IdempotencyScripts } from "../../src/IdempotencyScripts.ts"
import { redisClient, redisCluster } from "../../src/redisClient.ts"
import { makeStore } from "../../src/redisIdempotencyStore.ts"

/** A database of its own, and two clients of it. */
export const redisBackend = async (scripts?: IdempotencyScripts): Promise<IdempotencyStoreContract.Backend> => {
  const url = await freshDatabase(inject("redisUrl"))
  return backendOf(() => redisClient(url), scripts)
}

export const clusterBackend = (): Promise<IdempotencyStoreContract.Backend> =>
  backendOf(() => redisCluster([inject("redisClusterUrl")]))

const prefix = "test"

const backendOf = async (connect: () => Redis | Cluster, scripts: IdempotencyScripts = idempotencyScripts) => {
  const [client, other] = [connect(), connect()]
  await Promise.all([checkRedis(client), checkRedis(other)])
  return {
    store: makeStore(client, prefix, scripts),
    other: makeStore(other, prefix, scripts),
    evict: (key: string) => client.del(`${prefix}:idempotency:{${hashTag(key)}}:${key}`),
    close: async () => {
      client.disconnect()
      other.disconnect()
    },
  }
}
