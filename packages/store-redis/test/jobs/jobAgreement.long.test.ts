import { JobStoreContract } from "@multistatus/core/testing"
import { memoryJobStore } from "@multistatus/core/store"
import { freshDatabase } from "@multistatus/test-services"
import { expect, inject, it } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { redisClient } from "../../src/connection/redisClient.ts"
import { redisJobStore } from "../../src/jobs/redisJobStore.ts"

const { transcriptOf } = JobStoreContract

it("answers two hundred thousand random commands as the memory store does", async () => {
  const client = redisClient(await freshDatabase(inject("redisUrl")))
  await checkRedis(client)
  for (let seed = 101; seed <= 200; seed++) {
    const answers = transcriptOf(redisJobStore(client, { prefix: `model ${seed}` }), 2_000, seed)
    for await (const expected of transcriptOf(memoryJobStore(), 2_000, seed)) {
      expect(JSON.parse((await answers.next()).value)).toEqual(JSON.parse(expected))
    }
  }
  client.disconnect()
})
