/** Multistatus stores on Redis and Redis Cluster, for applications on Effect: each as a layer. */
export { RedisConnection, RedisConnectionError } from "./connection/RedisConnection.ts"
export * as RedisIdempotencyStore from "./idempotency/idempotencyStoreLayer.ts"
export * as RedisQuotaStore from "./quota/quotaStoreLayer.ts"
export * as RedisJobs from "./jobs/jobsLayer.ts"
