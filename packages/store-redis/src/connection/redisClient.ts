/** Clients of ioredis that give up in time. */
import { Cluster, type ClusterNode, type ClusterOptions, Redis, type RedisOptions } from "ioredis"

/**
 * How the clients of `redisClient` and `redisCluster` differ from those of ioredis, which wait for a dead server for
 * over a minute.
 */
export const redisDefaults = {
  connectTimeout: 2_000,
  /**
   * Milliseconds that a server may take to answer. Whoever asked may ask again: calls of the stores can be repeated.
   */
  commandTimeout: 2_000,
  /** Nothing waits for a connection: without one, commands reject at once. */
  enableOfflineQueue: false,
  /** What was under way when a connection broke is sent once more, over the next one, or rejected with it. */
  maxRetriesPerRequest: 1,
  retryStrategy: (attempt: number): number => Math.min(50 * 2 ** attempt, 1_000) * (0.5 + Math.random() / 2),
} as const satisfies RedisOptions

/** Options of ioredis. */
export type RedisClientOptions = Omit<RedisOptions, "replyMapping">

/** Options of ioredis. */
export type RedisClusterOptions = Omit<ClusterOptions, "redisOptions"> & {
  readonly redisOptions?: Omit<NonNullable<ClusterOptions["redisOptions"]>, "replyMapping"> | undefined
}

/**
 * Connects to a Redis server, and again whenever the connection breaks.
 *
 * **Details** Commands reject within milliseconds while there is no connection, and within two seconds when nothing
 * answers. Hence also before the first connection is made: wait for `checkRedis`.
 *
 * **Gotchas** ioredis prints errors of the connection unless there is a listener: `client.on("error", …)`.
 */
export const redisClient = (url: string, options: RedisClientOptions = {}): Redis =>
  new Redis(url, { ...redisDefaults, ...options })

/**
 * Connects to a Redis cluster, of which some nodes are known.
 *
 * **Details** As `redisClient`, and commands follow slots that move, four times at most.
 */
export const redisCluster = (nodes: ReadonlyArray<ClusterNode>, options: RedisClusterOptions = {}): Cluster => {
  const { connectTimeout, commandTimeout, enableOfflineQueue, maxRetriesPerRequest, retryStrategy } = redisDefaults
  return new Cluster([...nodes], {
    enableOfflineQueue,
    clusterRetryStrategy: retryStrategy,
    maxRedirections: 4,
    slotsRefreshTimeout: connectTimeout,
    ...options,
    redisOptions: { connectTimeout, commandTimeout, maxRetriesPerRequest, ...options.redisOptions },
  })
}
