/** Multistatus stores on Redis and Redis Cluster. */
// oxlint-disable-next-line import/no-unassigned-import -- first, so that an old version of Node.js fails with a sentence
import "./connection/requireNode.ts"

export type { BullmqConnection } from "./jobs/bullmqConnections.ts"
export { bullmqQueue } from "./jobs/bullmqQueue.ts"
export type { BullmqBackend, BullmqOptions } from "./jobs/BullmqOptions.ts"
export { checkRedis, type CheckRedisOptions } from "./connection/checkRedis.ts"
export {
  redisClient,
  type RedisClientOptions,
  redisCluster,
  type RedisClusterOptions,
  redisDefaults,
} from "./connection/redisClient.ts"
export { redisIdempotencyStore, type RedisIdempotencyOptions } from "./idempotency/redisIdempotencyStore.ts"
export { redisQuotaStore, type RedisQuotaOptions } from "./quota/redisQuotaStore.ts"
export { redisJobs, type RedisJobsOptions } from "./jobs/redisJobs.ts"
export { redisJobStore, type RedisJobStoreOptions } from "./jobs/redisJobStore.ts"
