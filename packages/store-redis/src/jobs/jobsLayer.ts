/** The job store and the chunk queue of Redis, as a layer. */
import { ChunkQueue, JobStore } from "@multistatus/core/effect"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RedisConnection } from "../connection/RedisConnection.ts"
import type { BullmqOptions } from "./BullmqOptions.ts"
import { redisJobs } from "./redisJobs.ts"

/** Keeps jobs on the server of the context. `Jobs` closes the queue. */
export const layer = (options?: BullmqOptions): Layer.Layer<JobStore | ChunkQueue, never, RedisConnection> =>
  Layer.effectContext(
    Effect.map(RedisConnection, (client) => {
      const { store, queue } = redisJobs({ ...options, client })
      return Context.make(JobStore, store).pipe(Context.add(ChunkQueue, queue))
    }),
  )
