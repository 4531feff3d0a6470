/** Multistatus stores on Redis. */
export type { BullmqConnection } from "./bullmqConnections.ts"
export { bullmqQueue } from "./bullmqQueue.ts"
export type { BullmqBackend, BullmqOptions } from "./BullmqOptions.ts"
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
export { redisJobs, type RedisJobsOptions } from "./redisJobs.ts"
export { redisJobStore, type RedisJobStoreOptions } from "./redisJobStore.ts"
