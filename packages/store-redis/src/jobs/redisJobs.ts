/** Jobs on Redis: a store and a queue. */
import type { ChunkQueue, JobStore } from "@multistatus/core/store"
import type { Cluster, Redis } from "ioredis"
import { bullmqQueue } from "./bullmqQueue.ts"
import type { BullmqOptions } from "./BullmqOptions.ts"
import { redisJobStore } from "./redisJobStore.ts"

/** Options of jobs on Redis. */
export interface RedisJobsOptions extends BullmqOptions {
  /** The client of the store. The queue opens its own connections to the same server or cluster. */
  readonly client: Redis | Cluster
}

/**
 * Makes a store and a queue of jobs.
 *
 * **Example** (On one server)
 * ```ts
 * const client = redisClient("redis://127.0.0.1:6379")
 * await checkRedis(client, { jobs: true })
 * const { store, queue } = redisJobs({ client })
 * ```
 */
export const redisJobs = ({
  client,
  ...options
}: RedisJobsOptions): { readonly store: JobStore; readonly queue: ChunkQueue } => ({
  store: redisJobStore(client, { prefix: options.prefix }),
  queue: bullmqQueue(client, options),
})
