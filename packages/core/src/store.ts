/** Multistatus for authors of stores: the ports of transactions, idempotency keys, quotas and jobs, and options. */
export type { Transaction, TransactionOptions, TransactionOutcome, UnitOfWork } from "./execution/UnitOfWork.ts"
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
export type { ResultCodec } from "./idempotency/StoredResult.ts"
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
export type { ChunkConsumer, ChunkHandlers, ChunkQueue, Delivery, EnqueueOptions } from "./jobs/ChunkQueue.ts"
export * as Job from "./jobs/Job.ts"
export type {
  ChunkCommit,
  ChunkHold,
  ChunkOutcome,
  ChunkPart,
  ChunkRef,
  ChunkResults,
  EndedChunk,
  JobAcceptance,
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
export { inProcessQueue } from "./jobs/inProcessQueue.ts"
export { memoryJobStore } from "./jobs/memoryJobStore.ts"
export { checkOptions } from "./options/checkOptions.ts"
export { duration, type DurationInput, type DurationType } from "./options/DurationInput.ts"
export type {
  AnyOption,
  AnyOptionGroup,
  AnyOptionType,
  OptionalOption,
  OptionGroup,
  OptionType,
  RequiredOption,
  SettingsOf,
} from "./options/Option.ts"
export { anyFunction, flag, objectWith, oneOf, text, wholeNumber } from "./options/OptionTypes.ts"
export { settingsOf } from "./options/settingsOf.ts"
export type { AesKey } from "./idempotency/aesGcmResults.ts"
