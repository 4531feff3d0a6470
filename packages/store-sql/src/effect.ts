/** Multistatus stores in SQL databases, for applications on Effect: each as a layer. */
export { SqlDatabase, SqlDatabaseError } from "./database/SqlDatabase.ts"
export * as SqlUnitOfWork from "./database/unitOfWorkLayer.ts"
export * as SqlIdempotencyStore from "./idempotency/idempotencyStoreLayer.ts"
export * as SqlQuotaStore from "./quota/quotaStoreLayer.ts"
export * as SqlJobs from "./jobs/jobsLayer.ts"
