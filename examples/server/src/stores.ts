/**
 * Where the server keeps what outlives a request: in memory, or in Redis.
 */
import { type IdempotencyStore, memoryIdempotencyStore } from "@multistatus/core"
import { checkRedis, redisClient, redisIdempotencyStore } from "@multistatus/store-redis"
import { redactDatabaseUrl } from "@multistatus/store-sql"

import { type Configuration, ConfigurationError } from "./Configuration.ts"

/**
 * The stores of one server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stores {
  readonly idempotency: IdempotencyStore
  readonly close: () => Promise<void>
}

/**
 * Opens the stores that the configuration names: `STORE`, or else Redis where `REDIS_URL` is set, or else memory.
 *
 * @category constructors
 * @since 0.1.0
 */
export const openStores = async ({ store, redisUrl }: Configuration): Promise<Stores> => {
  if (store === "memory") {
    return { idempotency: memoryIdempotencyStore(), close: async () => {} }
  }
  const url = redisUrl ?? ""
  const client = redisClient(url)
  // Commands say that there is no connection; without a listener ioredis would print it as well.
  client.on("error", () => {})
  await checkRedis(client).catch((error: unknown) => {
    client.disconnect()
    const reason = error instanceof Error ? error.message : String(error)
    const advice = `start a Redis server that answers there, or unset it (${reason})`
    throw new ConfigurationError("REDIS_URL", redactDatabaseUrl(url), advice)
  })
  return {
    idempotency: redisIdempotencyStore(client),
    close: async () => client.disconnect(),
  }
}
