import { ChunkQueueContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { inject } from "vitest"
import { bullmqQueue } from "../src/bullmqQueue.ts"
import { checkRedis } from "../src/checkRedis.ts"
import { redisClient } from "../src/redisClient.ts"

let unique = 0

ChunkQueueContract.suite("BullMQ on Redis", async () => {
  const client = redisClient(await freshDatabase(inject("redisUrl")))
  await checkRedis(client, { warn: () => {} })
  // Refs are given up after fewer attempts than by default, for nobody to wait for ten.
  const queue = bullmqQueue(client, { name: `contract-${unique++}`, attempts: 3, onError: () => {} })
  return { queue, close: async () => client.disconnect() }
})
