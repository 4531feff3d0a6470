/** A place for the jobs of a benchmark, and the actions that they run. */
import { setTimeout as delay } from "node:timers/promises"

import { type JobEngine, memoryJobs, resource } from "@multistatus/core"
import { redisJobs } from "@multistatus/store-redis"
import { openDatabase, sqlJobs } from "@multistatus/store-sql"

import { connectRedis } from "./connectRedis.ts"

/** A named queue on a Redis or PostgreSQL server, or in this process without a URL. */
export interface JobPlace {
  readonly redisUrl?: string
  readonly postgresUrl?: string
  readonly name: string
}

/** With two operations at once, a chunk of ten takes 55 ms. */
const waitMs = 11

/** A resource with an action that waits, and one that does nothing. */
export const things = resource("things", {
  wait: { identified: false, run: () => delay(waitMs, {}) },
  nothing: { identified: false, run: () => ({}) },
})

/** Opens the engine of a place. */
export const openEngine = async ({ redisUrl, postgresUrl, name }: JobPlace) => {
  if (redisUrl !== undefined) {
    const client = await connectRedis(redisUrl, { jobs: true })
    return { engine: redisJobs({ client, name }) as JobEngine, close: async () => client.disconnect() }
  }
  if (postgresUrl !== undefined) {
    const database = await openDatabase<unknown>(postgresUrl)
    return { engine: sqlJobs(database, postgresUrl, { name }) as JobEngine, close: database.close }
  }
  return { engine: memoryJobs(), close: async () => {} }
}

let opened = 0

/** The places that jobs are compared in, each with a new queue. */
export const jobPlaces = (redisUrl: string, postgresUrl: string): ReadonlyArray<readonly [string, JobPlace]> => [
  ["in this process, in memory", { name: `bench-${opened++}` }],
  ["BullMQ and Redis", { redisUrl, name: `bench-${opened++}` }],
  ["pg-boss and PostgreSQL", { postgresUrl, name: `bench-${opened++}` }],
]
