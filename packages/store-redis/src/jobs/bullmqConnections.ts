/** The connections of BullMQ, which cannot use those of a store. */
import type { Cluster, Redis, RedisOptions } from "ioredis"
import { redisClient, redisDefaults } from "../connection/redisClient.ts"
import { isCluster } from "../scripts/RedisScript.ts"

/** A URL, or a client of ioredis to duplicate. */
export type BullmqConnection = string | Redis | Cluster

/** Opens a connection that fails fast, because requests wait for what it enqueues. */
export const producerConnection = (connection: BullmqConnection): Redis | Cluster => copy(connection, redisDefaults)

/**
 * Opens a connection that waits for Redis as long as necessary.
 *
 * **Details** BullMQ requires `maxRetriesPerRequest: null`, and its commands block for longer than requests wait.
 */
export const workerConnection = (connection: BullmqConnection): Redis | Cluster =>
  copy(connection, {
    ...redisDefaults,
    // The longest time that a timer can wait.
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
  // BullMQ only supports its own prefix.
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
