import { ChunkQueueContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { inject } from "vitest"
import { bullmqQueue } from "../../src/jobs/bullmqQueue.ts"
import { swift } from "../support/queues.ts"

ChunkQueueContract.suite("BullMQ", async () => {
  const url = await freshDatabase(inject("redisUrl"))
  const options = { ...swift, onError: () => undefined }
  return { queue: bullmqQueue(url, options), other: bullmqQueue(url, options) }
})
