/** Multistatus for applications on Effect: the services that endpoints are made of, and their layers. */
export type {
  ClientGone,
  BatchExceedsQuota,
  InvalidBatch,
  LimitExceeded,
  OutcomeUnknown,
  Overloaded,
  QuotaExceeded,
  ReceiveTimeout,
  UnsupportedMediaType,
} from "./batch/RefusalReason.ts"
export { AsyncContext } from "./platform/AsyncContext.ts"
export { CurrentDigest } from "./platform/Digest.ts"
export * as Plan from "./planning/Plan.ts"
export type { CommitGroup } from "./planning/CommitGroup.ts"
export { Executor, type ExecuteOptions } from "./execution/Executor.ts"
export type { ExecutionHooks } from "./execution/ExecutionHooks.ts"
export type { OnStart } from "./execution/Invoker.ts"
export { CurrentTransaction } from "./execution/UnitOfWork.ts"
export type { IdempotencySettings } from "./idempotency/IdempotencySettings.ts"
export * as Quota from "./quota/Quota.ts"
export type { CostedBatch, CostFunction } from "./quota/QuotaOptions.ts"
export type { CostModel, LocalQuotaStores, QuotaPolicy, QuotaSettings } from "./quota/QuotaSettings.ts"
export * as ActionDispatcher from "./resources/ActionDispatcher.ts"
export * as SubRequestDispatcher from "./formats/requests/SubRequestDispatcher.ts"
export { BatchEngine } from "./engine/BatchEngine.ts"
export type { BatchRun, EngineOptions, EngineRequest } from "./engine/BatchEngine.ts"
export * as BatchMetrics from "./engine/BatchMetrics.ts"
export type { BatchJobs } from "./jobs/BatchJobs.ts"
export type { JobCharge, JobEndpoint, JobEndpointOptions, JobRun } from "./jobs/JobEndpoint.ts"
export type { Line } from "./http/readNdjson.ts"
export type { JobRequest } from "./jobs/JobIntake.ts"
export type { AcceptedJob } from "./jobs/JobUpload.ts"
export type { JobSettings } from "./jobs/JobSettings.ts"
export type { JobRoutes } from "./jobs/JobRoutes.ts"
export * as BatchEndpoint from "./api/BatchEndpoint.ts"
export { type BatchSettings, resolveOptions } from "./api/BatchSettings.ts"
export * as ConcurrencyLimit from "./api/ConcurrencyLimit.ts"
