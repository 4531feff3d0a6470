import { JobStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import type { Cluster, Redis } from "ioredis"
import { inject } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { redisClient, redisCluster } from "../../src/connection/redisClient.ts"
import { redisJobStore } from "../../src/jobs/redisJobStore.ts"

let unique = 0

const open = async (connect: () => Redis | Cluster): Promise<JobStoreContract.Backend> => {
  const [client, other] = [connect(), connect()]
  await Promise.all([client, other].map((each) => checkRedis(each, { warn: () => {} })))
  const options = { prefix: `contract-${unique++}` }
  return {
    store: redisJobStore(client, options),
    other: redisJobStore(other, options),
    close: async () => {
      client.disconnect()
      other.disconnect()
    },
  }
}

JobStoreContract.suite(
  "Redis",
  async () => {
    const url = await freshDatabase(inject("redisUrl"))
    return open(() => redisClient(url))
  },
  { runs: 100, shrinks: false },
)
JobStoreContract.suite("Redis Cluster", () => open(() => redisCluster([inject("redisClusterUrl")])), {
  runs: 30,
  shrinks: false,
})
