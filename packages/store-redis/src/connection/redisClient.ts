/** Creates ioredis clients that fail fast when a server is down. */
import { Cluster, type ClusterNode, type ClusterOptions, Redis, type RedisOptions } from "ioredis"

/**
 * The options of `redisClient` and `redisCluster` that differ from the defaults of ioredis. By default, ioredis waits for a
 * server that is down for more than a minute.
 */
export const redisDefaults = {
  /** Milliseconds after which a connection attempt times out. */
  connectTimeout: 2_000,
  /** Milliseconds after which a command times out. All calls of the stores can be retried. */
  commandTimeout: 2_000,
  /** Commands reject immediately while there is no connection. */
  enableOfflineQueue: false,
  /** A command that was sent on a connection which broke is sent once more on the next connection. */
  maxRetriesPerRequest: 1,
  /** Returns the delay before the next connection attempt, in milliseconds. */
  retryStrategy: (attempt: number): number => Math.min(50 * 2 ** attempt, 1_000) * (0.5 + Math.random() / 2),
} as const satisfies RedisOptions

/** The options of ioredis, except `replyMapping`. */
export type RedisClientOptions = Omit<RedisOptions, "replyMapping">

/** The cluster options of ioredis, except `replyMapping`. */
export type RedisClusterOptions = Omit<ClusterOptions, "redisOptions"> & {
  readonly redisOptions?: Omit<NonNullable<ClusterOptions["redisOptions"]>, "replyMapping"> | undefined
}

/**
 * Creates an ioredis client for a Redis server. It reconnects when the connection breaks.
 *
 * **Details** Commands reject within milliseconds while there is no connection, and within two seconds if the server does
 * not respond. This also applies before the first connection, so wait for `checkRedis(client)` first.
 *
 * **Gotchas** ioredis prints connection errors unless there is a listener: `client.on("error", …)`.
 */
export const redisClient = (url: string, options: RedisClientOptions = {}): Redis => {
  if (typeof url !== "string" || url === "") {
    throw new TypeError(
      `redisClient needs the URL of a Redis server, such as redis://127.0.0.1:6379, but got ${String(url)}`,
    )
  }
  return new Redis(url, { ...redisDefaults, ...options })
}

/**
 * Creates an ioredis client for a Redis cluster. `nodes` are URLs or addresses of some of its nodes.
 *
 * **Details** It has the same timeouts as `redisClient`. A command follows at most four redirections to another node.
 */
export const redisCluster = (nodes: ReadonlyArray<ClusterNode>, options: RedisClusterOptions = {}): Cluster => {
  if (!Array.isArray(nodes) || nodes.length === 0) {
    throw new TypeError('redisCluster needs an array of nodes, such as ["redis://127.0.0.1:7000"]')
  }
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

/**
 * Throws a `TypeError` unless `client` is an ioredis client. `call` names the function for the message.
 *
 * @internal
 */
export const checkClient = (client: unknown, call: string): void => {
  if (typeof client === "object" && client !== null && "evalsha" in client) return
  throw new TypeError(`${call} needs an ioredis client: pass redisClient(url) or redisCluster([url])`)
}

/** Throws a `TypeError` if a prefix of keys contains braces. @internal */
export const checkPrefix = (prefix: string): void => {
  if (!/[{}]/.test(prefix)) return
  throw new TypeError(
    `The option "prefix" must contain no braces, because Redis Cluster reads them as a hash tag, but is ${JSON.stringify(prefix)}`,
  )
}
