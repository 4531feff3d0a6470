/** Multistatus core: batch endpoints, neutral of frameworks and stores. */
export { createBatch } from "./api/createBatch.ts"
export type {
  AnswerOptions,
  BatchEndpoints,
  BulkOptions,
  Endpoint,
  JobsEndpoint,
  OperationsOptions,
  Platform,
  RequestsOptions,
} from "./api/createBatch.ts"
export * as Admission from "./api/ConcurrencyLimit.ts"
export { resolveOptions as settleOptions } from "./api/BatchOptions.ts"
export type { BatchOptions, Concurrency, Settings } from "./api/BatchOptions.ts"
export type { IdempotencyOptions } from "./idempotency/IdempotencyOptions.ts"
export type { QuotaOptions, QuotaPolicyOptions, RateOptions } from "./quota/QuotaOptions.ts"
export { aesGcmResults } from "./idempotency/aesGcmResults.ts"
export type { ResultCodec } from "./idempotency/StoredResult.ts"
export type { HttpBody, HttpRequest, HttpResponse } from "./http/HttpMessage.ts"
export * as BatchEndpoint from "./api/BatchEndpoint.ts"
export * as BulkCodec from "./formats/BulkCodec.ts"
export * as JsonBatchCodec from "./formats/requests/JsonBatchCodec.ts"
export * as OperationsCodec from "./formats/OperationsCodec.ts"
export * as ActionDispatcher from "./resources/ActionDispatcher.ts"
export * as SubRequestDispatcher from "./formats/requests/SubRequestDispatcher.ts"
export { resource } from "./resources/Resource.ts"
export type { Action, ActionContext, ManyContext, ManyItem, Register, Resource, Tx } from "./resources/Resource.ts"
export type { HostRequest, Send } from "./formats/requests/SubRequestDispatcher.ts"
export { failure, isFailure, statusOf } from "./batch/Failure.ts"
export type { Failure, FailureDetails, FieldError } from "./batch/Failure.ts"
export { BatchError, PolicyRefusal } from "./batch/BatchError.ts"
export type { Batch, Tally } from "./batch/Batch.ts"
export * as HeaderRules from "./http/HeaderRules.ts"
export type { HeaderRulesOptions } from "./http/HeaderRules.ts"
export type { Limits, LimitsOptions } from "./batch/Limits.ts"
export type { Dependency, Operation } from "./batch/Operation.ts"
export { OperationResult } from "./batch/OperationResult.ts"
export * as Plan from "./planning/Plan.ts"
export type { Strategy, StrategyOffer } from "./batch/Strategy.ts"
export type { Reply, SubRequest } from "./formats/requests/SubRequest.ts"
export { BatchEngine } from "./engine/BatchEngine.ts"
export type { EngineOptions, EngineRequest } from "./engine/BatchEngine.ts"
export * as BatchMetrics from "./engine/BatchMetrics.ts"
export { Executor } from "./execution/Executor.ts"
export { AsyncContext, type RunInContext } from "./platform/AsyncContext.ts"
export { CurrentDigest, type Digest } from "./platform/Digest.ts"
export type { BatchContext } from "./batch/BatchContext.ts"
export type { BatchPolicy, PlannedBatch } from "./execution/BatchPolicy.ts"
export type { Codec, DecodeOptions, Encoded, EncodeOptions, Envelope, Listing, ValueFormat } from "./batch/Codec.ts"
export { CurrentTransaction } from "./execution/UnitOfWork.ts"
export type { Transaction, TransactionOptions, TransactionOutcome, UnitOfWork } from "./execution/UnitOfWork.ts"
export type { Answer, CallContext, Dispatcher } from "./batch/Dispatcher.ts"
export { memoryIdempotencyStore, type MemoryIdempotencyOptions } from "./idempotency/memoryIdempotencyStore.ts"
export type {
  Acquired,
  AcquireItem,
  IdempotencyRecord,
  IdempotencyStore,
  IdempotencyTimes,
  SettleAction,
  Settled,
  SettleItem,
} from "./idempotency/IdempotencyStore.ts"
export type { OrderBy } from "./formats/OperationsCodec.ts"
export type { StatusMode } from "./formats/MultiStatus.ts"
export type { OnUnexpected, UnexpectedOrigin } from "./engine/BatchEngine.ts"
export type { IdempotencySettings } from "./idempotency/IdempotencySettings.ts"
export type { ReturnPreference } from "./batch/Codec.ts"
export * as Gcra from "./quota/Gcra.ts"
export type {
  CostRun,
  QuotaCharge,
  QuotaDecision,
  QuotaDemand,
  QuotaRefund,
  QuotaRule,
  QuotaStanding,
} from "./quota/QuotaCharge.ts"
export type { QuotaStore } from "./quota/QuotaStore.ts"
export * as Quota from "./quota/Quota.ts"
export type { CostedBatch, CostFunction, CostModel, QuotaPolicy, QuotaSettings } from "./quota/QuotaSettings.ts"
export { memoryQuotaStore } from "./quota/memoryQuotaStore.ts"
export * as Job from "./jobs/Job.ts"
export type {
  ChunkCommit,
  ChunkHold,
  ChunkOutcome,
  ChunkPart,
  ChunkRef,
  EndedChunk,
  JobAcceptance as JobAdmission,
  JobExtent,
  JobLimits,
  JobRecord,
  JobState,
  JobTally,
  NewChunk,
  NewJob,
  StartedChunk,
} from "./jobs/Job.ts"
export type { ChunksQuery, EndedChunks, ForgottenJob, JobStore, JobTransaction } from "./jobs/JobStore.ts"
export type { ChunkConsumer, ChunkHandlers, ChunkQueue, Delivery, EnqueueOptions } from "./jobs/ChunkQueue.ts"
export type { JobEngine, JobOptions } from "./jobs/JobOptions.ts"
export { runWorker, type Worker } from "./api/runWorker.ts"
export { inProcessQueue } from "./jobs/inProcessQueue.ts"
export { memoryJobStore } from "./jobs/memoryJobStore.ts"
export { memoryJobs } from "./jobs/memoryJobs.ts"
