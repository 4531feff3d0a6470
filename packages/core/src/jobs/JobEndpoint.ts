/** What running the operations of a job takes: how they are read and written, and what runs them. */
import type { Batch } from "../batch/Batch.ts"
import type { BatchContext } from "../batch/BatchContext.ts"
import type { Dispatcher } from "../batch/Dispatcher.ts"
import type { Idempotency } from "../idempotency/Idempotency.ts"
import type { Quota } from "../quota/Quota.ts"
import type { Limits } from "../batch/Limits.ts"
import type { Operation } from "../batch/Operation.ts"
import type { StrategyOffer } from "../batch/Strategy.ts"
import type { Codec, EncodeResultOptions } from "../batch/Codec.ts"
import type { UnitOfWork } from "../execution/UnitOfWork.ts"

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

/** Operations of a job that are to run now. */
export interface JobRun {
  readonly batch: Batch
  readonly tenant: string | undefined
  /** What keeps idempotency keys of this endpoint apart from those of others. */
  readonly keyScope: string
  /** Fires when they are to stop at once; its reason says why. */
  readonly stop: AbortSignal
  /** Told of operations whose handler is about to be called. */
  readonly began: ((operations: ReadonlyArray<Operation>) => void) | undefined
  /** The transaction that all of them run in, as a unit of work; undefined for the configured one. */
  readonly within: UnitOfWork | undefined
}

/** The price of operations, which is given back for those that never began. */
export interface JobCharge {
  readonly began: (operations: ReadonlyArray<Operation>) => void
  readonly release: () => Promise<void>
}

/**
 * An endpoint as jobs need it.
 *
 * **Details** `run` gives every operation its result. `charge` and `run` reject with a `BatchError` where the quota, or a
 * store, keeps the operations from running now.
 */
export interface JobEndpoint {
  readonly name: string
  readonly codec: Codec<unknown>
  readonly encodeResult: (operation: Operation, options: EncodeResultOptions) => string
  readonly limits: Limits
  readonly strategy: StrategyOffer
  /** What a chunk can be run in as a whole; undefined where nothing can. */
  readonly unitOfWork: UnitOfWork | undefined
  readonly charge: (operations: ReadonlyArray<Operation>, tenant: string | undefined) => Promise<JobCharge | undefined>
  readonly run: (run: JobRun) => Promise<void>
}
