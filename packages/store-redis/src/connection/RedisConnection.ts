/** The service of a connection to Redis. */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Cluster, Redis } from "ioredis"
import { checkRedis, type CheckRedisOptions } from "./checkRedis.ts"
import { redisClient, type RedisClientOptions } from "./redisClient.ts"

/** Redis could not be reached. */
export class RedisConnectionError extends Data.TaggedError("RedisConnectionError")<{
  readonly message: string
  readonly cause: unknown
}> {}

/** A client that is connected to Redis or Redis Cluster. */
export class RedisConnection extends Context.Service<RedisConnection, Redis | Cluster>()(
  "@multistatus/store-redis/RedisConnection",
) {
  /**
   * Connects to a server and checks its settings. Closing the scope of the layer closes the connection.
   *
   * **Gotchas** ioredis prints connection errors unless there is a listener; `layerFrom` takes a client that has one.
   */
  static readonly layer = (
    url: string,
    options?: RedisClientOptions,
    check?: CheckRedisOptions,
  ): Layer.Layer<RedisConnection, RedisConnectionError> =>
    RedisConnection.layerFrom(() => redisClient(url, options), check)

  /** Connects with a client that a function makes, such as `redisCluster`. Closing the scope closes the client. */
  static readonly layerFrom = (
    connect: () => Redis | Cluster,
    check?: CheckRedisOptions,
  ): Layer.Layer<RedisConnection, RedisConnectionError> =>
    Layer.effect(
      RedisConnection,
      Effect.gen(function* () {
        const client = yield* Effect.acquireRelease(Effect.sync(connect), (client) =>
          Effect.sync(() => client.disconnect()),
        )
        yield* Effect.tryPromise({
          try: () => checkRedis(client, check),
          catch: (cause) =>
            new RedisConnectionError({ message: cause instanceof Error ? cause.message : String(cause), cause }),
        })
        return client
      }),
    )
}
