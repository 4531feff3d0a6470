import { JobStoreContract } from "@multistatus/core/testing"
import type { JobStore } from "@multistatus/core/store"
import { freshDatabase } from "@multistatus/test-services"
import type { Cluster, Redis } from "ioredis"
import { inject } from "vitest"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { redisClient, redisCluster } from "../../src/connection/redisClient.ts"
import { makeJobKeys } from "../../src/jobs/JobKeys.ts"
import { redisJobStore } from "../../src/jobs/redisJobStore.ts"

const { bothSucceeded, extentOf, keepMs, newChunks, newJob, noLimits } = JobStoreContract

/** The servers that job stores are tested on. */
export const servers = {
  Redis: async () => redisClient(await freshDatabase(inject("redisUrl"))),
  "Redis Cluster": async () => redisCluster([inject("redisClusterUrl")]),
}

/** A client that is disconnected when it is disposed. */
export const disposable = async <Client extends Redis | Cluster>(client: Client) => {
  client.on("error", () => {})
  await checkRedis(client, { warn: () => {} })
  return { client, [Symbol.asyncDispose]: async () => client.disconnect() }
}

let prefixes = 0

/** A job store with a prefix of its own. */
export const openJobStore = async (connect: () => Promise<Redis | Cluster>) => {
  const connection = await disposable<Redis | Cluster>(await connect())
  const prefix = `jobs ${prefixes++}`
  return { ...connection, prefix, store: redisJobStore(connection.client, { prefix }), keys: makeJobKeys(prefix) }
}

/** Submits a job. By default it has two chunks of two operations each. */
export const submit = (store: JobStore, job = newJob(), chunks = newChunks(2), limits = noLimits) =>
  store.submit(job, extentOf(chunks), chunks, limits)

/** Runs the first `count` chunks of a job. */
export const runChunks = async (store: JobStore, job: string, count: number): Promise<void> => {
  for (let chunk = 0; chunk < count; chunk++) {
    const { hold } = (await store.start({ job, chunk }))!
    await store.commit(hold, bothSucceeded, keepMs)
  }
}
