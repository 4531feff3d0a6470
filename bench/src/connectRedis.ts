import { checkRedis, redisClient } from "@multistatus/store-redis"

/** A client of ioredis. */
export type RedisClient = ReturnType<typeof redisClient>

/** Connects to a Redis server that is running. */
export const connectRedis = async (url: string, options: { readonly jobs?: boolean } = {}): Promise<RedisClient> => {
  const client = redisClient(url)
  client.on("error", () => undefined)
  await checkRedis(client, options)
  return client
}
