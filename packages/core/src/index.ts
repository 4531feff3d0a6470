/** Multistatus core: batch endpoints, neutral of frameworks and stores. */
export { createBatch } from "./edge/createBatch.ts"
export type {
  AnswerOptions,
  BatchEndpoints,
  BulkOptions,
  Endpoint,
  JobsEndpoint,
  OperationsOptions,
  Platform,
  RequestsOptions,
} from "./edge/createBatch.ts"
export * as Admission from "./edge/Admission.ts"
export { settle as settleOptions } from "./edge/BatchOptions.ts"
export type { BatchOptions, Concurrency, Settings } from "./edge/BatchOptions.ts"
export type { IdempotencyOptions } from "./edge/IdempotencyOptions.ts"
export type { QuotaOptions, QuotaPolicyOptions, RateOptions } from "./edge/QuotaOptions.ts"
export { aesGcmResults } from "./policies/aesGcmResults.ts"
export type { ResultCodec } from "./policies/StoredResult.ts"
export type { HttpBody, HttpRequest, HttpResponse } from "./edge/HttpMessage.ts"
export * as BatchEndpoint from "./edge/BatchEndpoint.ts"
export * as BulkCodec from "./codecs/bulk.ts"
export * as JsonBatchCodec from "./codecs/jsonBatch.ts"
export * as OperationsCodec from "./codecs/operations.ts"
export * as ActionDispatcher from "./dispatchers/actions.ts"
export * as SubRequestDispatcher from "./dispatchers/subRequests.ts"
export { resource } from "./dispatchers/Resource.ts"
export type { Action, ActionContext, ManyContext, ManyItem, Register, Resource, Tx } from "./dispatchers/Resource.ts"
export type { HostRequest, Send } from "./dispatchers/subRequests.ts"
export { failure, isFailure, statusOf } from "./domain/Failure.ts"
export type { Failure, FailureDetails, FieldError } from "./domain/Failure.ts"
export { BatchError, PolicyRefusal } from "./domain/BatchError.ts"
export type { Batch, Tally } from "./domain/Batch.ts"
export * as HeaderRules from "./domain/HeaderRules.ts"
export type { HeaderRulesOptions } from "./domain/HeaderRules.ts"
export type { Limits, LimitsOptions } from "./domain/Limits.ts"
export type { Dependency, Operation } from "./domain/Operation.ts"
export { OperationResult } from "./domain/OperationResult.ts"
export * as Plan from "./domain/Plan.ts"
export type { Strategy, StrategyOffer } from "./domain/Strategy.ts"
export type { Reply, SubRequest } from "./domain/SubRequest.ts"
export { BatchEngine } from "./engine/BatchEngine.ts"
export type { EngineOptions, EngineRequest } from "./engine/BatchEngine.ts"
export * as BatchMetrics from "./engine/BatchMetrics.ts"
export { Executor } from "./policies/Executor.ts"
export { AsyncContext, type RunInContext } from "./ports/AsyncContext.ts"
export { CurrentDigest, type Digest } from "./ports/Digest.ts"
export type { BatchContext } from "./ports/BatchContext.ts"
export type { BatchPolicy, PlannedBatch } from "./ports/BatchPolicy.ts"
export type { Codec, DecodeOptions, Encoded, EncodeOptions, Envelope, Listing, ValueFormat } from "./ports/Codec.ts"
export { CurrentTransaction } from "./ports/UnitOfWork.ts"
export type { Transaction, TransactionOptions, TransactionOutcome, UnitOfWork } from "./ports/UnitOfWork.ts"
export type { Answer, CallContext, Dispatcher } from "./ports/Dispatcher.ts"
export { memoryIdempotencyStore, type MemoryIdempotencyOptions } from "./stores/memoryIdempotencyStore.ts"
export type {
  Acquired,
  AcquireItem,
  IdempotencyRecord,
  IdempotencyStore,
  IdempotencyTimes,
  SettleAction,
  Settled,
  SettleItem,
} from "./ports/IdempotencyStore.ts"
export type { OrderBy } from "./codecs/operations.ts"
export type { StatusMode } from "./codecs/multiStatus.ts"
export type { OnUnexpected, UnexpectedOrigin } from "./engine/BatchEngine.ts"
export type { IdempotencySettings } from "./policies/IdempotencySettings.ts"
export type { ReturnPreference } from "./ports/Codec.ts"
export * as Gcra from "./domain/Gcra.ts"
export type {
  CostRun,
  QuotaCharge,
  QuotaDecision,
  QuotaDemand,
  QuotaRefund,
  QuotaRule,
  QuotaStanding,
} from "./domain/Quota.ts"
export type { QuotaStore } from "./ports/QuotaStore.ts"
export * as Quota from "./policies/Quota.ts"
export type { CostedBatch, CostFunction, CostModel, QuotaPolicy, QuotaSettings } from "./policies/QuotaSettings.ts"
export { memoryQuotaStore } from "./stores/memoryQuotaStore.ts"
export * as Job from "./domain/Job.ts"
export type {
  ChunkCommit,
  ChunkHold,
  ChunkOutcome,
  ChunkPart,
  ChunkRef,
  EndedChunk,
  JobAdmission,
  JobExtent,
  JobLimits,
  JobRecord,
  JobState,
  JobTally,
  NewChunk,
  NewJob,
  StartedChunk,
} from "./domain/Job.ts"
export type { ChunksQuery, EndedChunks, ForgottenJob, JobStore, JobTransaction } from "./ports/JobStore.ts"
export type { ChunkConsumer, ChunkHandlers, ChunkQueue, Delivery, EnqueueOptions } from "./ports/ChunkQueue.ts"
export type { JobEngine, JobOptions } from "./edge/JobOptions.ts"
export { runWorker, type Worker } from "./edge/runWorker.ts"
export { inProcessQueue } from "./stores/inProcessQueue.ts"
export { memoryJobStore } from "./stores/memoryJobStore.ts"
export { memoryJobs } from "./stores/memoryJobs.ts"
