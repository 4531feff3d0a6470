/** An endpoint as jobs see it: it decodes the operations of a job, runs them and encodes their results. */
import type { Batch } from "../batch/Batch.ts"
import type { BatchContext } from "../batch/BatchContext.ts"
import type { Codec, ItemCodec } from "../batch/Codec.ts"
import type { Dispatcher } from "../batch/Dispatcher.ts"
import type { Idempotency } from "../idempotency/Idempotency.ts"
import type { Quota } from "../quota/Quota.ts"
import type { Limits } from "../batch/Limits.ts"
import type { Operation } from "../batch/Operation.ts"
import type { UnitOfWork } from "../execution/UnitOfWork.ts"
import type { Strategy, StrategyOffer } from "../batch/Strategy.ts"

/** The parts of an endpoint that its jobs use. */
export interface JobEndpointOptions<Input> {
  /** Name of the endpoint. */
  readonly endpoint: string
  readonly codec: Codec<Input>
  /** Makes the dispatcher of one batch. */
  readonly dispatcher: (batch: BatchContext) => Dispatcher<Input>
  readonly limits: Limits
  readonly strategy: StrategyOffer
  /** How many operations of a batch run at once; undefined if the number varies. */
  readonly concurrency: number | undefined
  readonly unitOfWork: UnitOfWork | undefined
  readonly idempotency: Pick<Idempotency["Service"], "required"> | undefined
  /** Holds callers to a quota; undefined if there is none. */
  readonly quota: Quota["Service"] | undefined
}

/** Operations of a job that run together. */
export interface JobRun {
  readonly batch: Batch
  readonly tenant: string | undefined
  /** Keeps the idempotency keys of this endpoint apart from those of others. */
  readonly keyScope: string
  /** Aborts the operations at once. Its reason is a sentence that says why. */
  readonly stop: AbortSignal
  /** Called with operations just before their handler is called. */
  readonly began: ((operations: ReadonlyArray<Operation>) => void) | undefined
  /** The open transaction that all of them run in, as a unit of work; undefined for the endpoint's own unit of work. */
  readonly within: UnitOfWork | undefined
}

/** The charge for operations. Those that never start are refunded by `release`. */
export interface JobCharge {
  readonly began: (operations: ReadonlyArray<Operation>) => void
  readonly release: () => Promise<void>
}

/** An endpoint whose batches can run as jobs. */
export interface JobEndpoint {
  readonly name: string
  readonly codec: Pick<Codec<unknown>, "list" | "encode">
  readonly items: ItemCodec<unknown>
  readonly limits: Limits
  /** The strategy of batches that do not ask for one. */
  readonly strategy: Strategy
  /** Whether operations run one at a time. */
  readonly isSequential: boolean
  /** Whether every operation needs an idempotency key, its own or that of the batch. */
  readonly requiresKeys: boolean
  /** The unit of work that a whole chunk can run in; undefined for none. */
  readonly unitOfWork: UnitOfWork | undefined
  /**
   * Charges operations to the quota; undefined if there is no quota. Rejects with a `BatchError` if the quota does not allow
   * them now.
   */
  readonly charge: (operations: ReadonlyArray<Operation>, tenant: string | undefined) => Promise<JobCharge | undefined>
  /** Gives every operation its result. Rejects with a `BatchError` if a store is unavailable, and nothing has run. */
  readonly run: (run: JobRun) => Promise<void>
}
