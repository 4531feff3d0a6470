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
export { Planner } from "./planning/Planner.ts"
export { OperationConcurrency } from "./execution/OperationConcurrency.ts"
export { TransactionSize } from "./execution/TransactionSize.ts"
export { BatchPolicies } from "./execution/BatchPolicies.ts"
export { UnitOfWork } from "./execution/UnitOfWorkService.ts"
export { Executor, type ExecuteOptions } from "./execution/Executor.ts"
export type { ExecutionHooks } from "./execution/ExecutionHooks.ts"
export type { OnStart } from "./execution/Invoker.ts"
export { CurrentTransaction } from "./execution/UnitOfWork.ts"
export { BatchLimits } from "./batch/BatchLimits.ts"
export { StrategySelector, type StrategySelection } from "./batch/StrategySelector.ts"
export { TenantResolver } from "./batch/TenantResolver.ts"
export { BatchParser, type ParsedBatch } from "./http/BatchParser.ts"
export {
  Idempotency,
  type BatchIdempotency,
  type ClaimedBatch,
  type IdempotencyRequest,
} from "./idempotency/Idempotency.ts"
export { IdempotencyStore } from "./idempotency/IdempotencyStoreService.ts"
export type { IdempotencySettings } from "./idempotency/IdempotencySettings.ts"
export { Quota, type BatchQuota } from "./quota/Quota.ts"
export { QuotaStore } from "./quota/QuotaStoreService.ts"
export type { CostedBatch, CostFunction } from "./quota/QuotaOptions.ts"
export type { CostModel, LocalQuotaStores, QuotaPolicy, QuotaSettings } from "./quota/QuotaSettings.ts"
export * as ActionDispatcher from "./resources/ActionDispatcher.ts"
export * as SubRequestDispatcher from "./formats/requests/SubRequestDispatcher.ts"
export { BatchEngine } from "./engine/BatchEngine.ts"
export type { BatchRun, EngineRequest } from "./engine/BatchEngine.ts"
export type { BatchServices } from "./engine/BatchServices.ts"
export { ErrorHandling, type ErrorHandler } from "./engine/ErrorHandling.ts"
export { Telemetry } from "./engine/Telemetry.ts"
export * as BatchMetrics from "./engine/BatchMetrics.ts"
export { ChunkQueue } from "./jobs/ChunkQueueService.ts"
export { Jobs } from "./jobs/Jobs.ts"
export { JobStore } from "./jobs/JobStoreService.ts"
export type { BatchJobs } from "./jobs/BatchJobs.ts"
export type { JobCharge, JobEndpoint, JobEndpointOptions, JobRun } from "./jobs/JobEndpoint.ts"
export type { Line } from "./http/readNdjson.ts"
export type { JobRequest } from "./jobs/JobIntake.ts"
export type { AcceptedJob } from "./jobs/JobUpload.ts"
export type { JobSettings } from "./jobs/JobSettings.ts"
export type { JobRoutes } from "./jobs/JobRoutes.ts"
export * as BatchEndpoint from "./api/BatchEndpoint.ts"
export { type BatchSettings, resolveOptions } from "./api/BatchSettings.ts"
export { ConcurrencyLimit } from "./api/ConcurrencyLimit.ts"
