/** Where the jobs of a measurement are, and what they do. */
import { setTimeout as delay } from "node:timers/promises"

import { type JobEngine, memoryJobs, resource } from "@multistatus/core"
import { checkRedis, redisClient, redisJobs } from "@multistatus/store-redis"
import { openDatabase, sqlJobs } from "@multistatus/store-sql"

/** A queue on a server, or in this process where there is neither. */
export interface Place {
  readonly redisUrl?: string
  readonly postgresUrl?: string
  readonly name: string
}

/** With two operations at once, a chunk of ten takes 55 ms. */
const waitMs = 11

/** Operations that wait, and others that do nothing. */
export const things = resource("things", {
  wait: { identified: false, run: () => delay(waitMs, {}) },
  nothing: { identified: false, run: () => ({}) },
})

/** Opens a place for jobs. */
export const openEngine = async ({ redisUrl, postgresUrl, name }: Place) => {
  if (redisUrl !== undefined) {
    const client = redisClient(redisUrl)
    client.on("error", () => undefined)
    await checkRedis(client, { jobs: true })
    return { engine: redisJobs({ client, name }) as JobEngine, close: async () => client.disconnect() }
  }
  if (postgresUrl !== undefined) {
    const database = await openDatabase<unknown>(postgresUrl)
    return { engine: sqlJobs(database, postgresUrl, { name }) as JobEngine, close: database.close }
  }
  return { engine: memoryJobs(), close: async () => {} }
}
