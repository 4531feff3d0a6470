/** Multistatus stores on Redis. */
export { checkRedis, type CheckRedisOptions } from "./checkRedis.ts"
export {
  redisClient,
  type RedisClientOptions,
  redisCluster,
  type RedisClusterOptions,
  redisDefaults,
} from "./redisClient.ts"
export { redisIdempotencyStore, type RedisIdempotencyOptions } from "./redisIdempotencyStore.ts"
export { redisQuotaStore, type RedisQuotaOptions } from "./redisQuotaStore.ts"
