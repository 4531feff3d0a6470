/** Connections for BullMQ, which cannot share those of a store. */
import type { Cluster, Redis, RedisOptions } from "ioredis"
import { redisClient, redisDefaults } from "../connection/redisClient.ts"
import { isCluster } from "../scripts/RedisScript.ts"

/** A URL, or a client of ioredis that is copied. */
export type BullmqConnection = string | Redis | Cluster

/** Waits for nothing: whoever sends refs is a request that waits for its answer. */
export const producerConnection = (connection: BullmqConnection): Redis | Cluster => copy(connection, redisDefaults)

/**
 * Waits for as long as it takes: a worker has nothing else to do.
 *
 * **Details** BullMQ asks for `maxRetriesPerRequest: null`, and its commands block for longer than requests wait.
 */
export const workerConnection = (connection: BullmqConnection): Redis | Cluster =>
  copy(connection, {
    ...redisDefaults,
    // The longest that a timer runs.
    commandTimeout: 2 ** 31 - 1,
    enableOfflineQueue: true,
    maxRetriesPerRequest: null,
  })

const copy = (
  connection: BullmqConnection,
  options: Required<
    Pick<
      RedisOptions,
      "commandTimeout" | "connectTimeout" | "enableOfflineQueue" | "maxRetriesPerRequest" | "retryStrategy"
    >
  >,
): Redis | Cluster => {
  // BullMQ knows prefixes of its own alone.
  const own = { keyPrefix: "", lazyConnect: false }
  if (typeof connection === "string") return redisClient(connection, { ...options, ...own })
  if (!isCluster(connection)) return connection.duplicate({ ...options, ...own })
  const { enableOfflineQueue, retryStrategy: _, ...ofNodes } = options
  return connection.duplicate([], {
    ...own,
    enableOfflineQueue,
    redisOptions: ofNodes,
  })
}
