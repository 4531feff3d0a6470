import { JobStoreContract } from "@multistatus/core/testing"
import { memoryJobStore } from "@multistatus/core/store"
import { freshDatabase } from "@multistatus/test-services"
import { expect, inject, it } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { redisClient, redisCluster } from "../../src/connection/redisClient.ts"
import { redisJobStore } from "../../src/jobs/redisJobStore.ts"

const { transcriptOf } = JobStoreContract

it.each(["Redis", "Redis Cluster"])(
  "%s answers random commands as the memory store does",
  { timeout: 120_000 },
  async (name) => {
    const client =
      name === "Redis"
        ? redisClient(await freshDatabase(inject("redisUrl")))
        : redisCluster([inject("redisClusterUrl")])
    await checkRedis(client)
    for (let seed = 1; seed <= 8; seed++) {
      const answers = transcriptOf(redisJobStore(client, { prefix: `model ${seed}` }), 2_000, seed)
      for await (const expected of transcriptOf(memoryJobStore(), 2_000, seed)) {
        expect(JSON.parse((await answers.next()).value)).toEqual(JSON.parse(expected))
      }
    }
    client.disconnect()
  },
)
