/** The pipeline that every batch goes through, and nothing else: prepare, plan, admit, execute. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Batch, tally } from "../batch/Batch.ts"
import type { BatchError } from "../batch/BatchError.ts"
import { type Failure, failure, internalFailure, isFailure } from "../batch/Failure.ts"
import type { Limits } from "../batch/Limits.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { Planner } from "../planning/Plan.ts"
import type { BatchPolicy } from "../execution/BatchPolicy.ts"
import type { Dispatcher, OnDefect } from "../batch/Dispatcher.ts"
import type { UnitOfWork } from "../execution/UnitOfWork.ts"
import type { Claimed } from "../idempotency/Idempotency.ts"
import type { Quota } from "../quota/Quota.ts"
import type { IdempotencySettings } from "../idempotency/IdempotencySettings.ts"
import type { ValueFormat } from "../batch/Codec.ts"
import * as Retries from "../idempotency/withIdempotency.ts"
import { Executor } from "../execution/Executor.ts"
import { yieldToEventLoop } from "../platform/yieldToEventLoop.ts"
import type * as BatchMetrics from "./BatchMetrics.ts"
import { beginsOutage } from "./OutageReports.ts"

/** How the batches of one endpoint are run. */
export interface EngineOptions {
  /** Name of the endpoint, for policies, spans and metrics. */
  readonly endpoint: string
  /** What the endpoint's batches are counted by: `BatchMetrics.recorder(endpoint)`. */
  readonly metrics: BatchMetrics.BatchRecorder
  readonly limits: Limits
  /** Commit groups at once: a whole number from 1, or `Infinity`. */
  readonly concurrency: number
  readonly planner: Planner
  /** In the order in which they admit. */
  readonly policies: ReadonlyArray<BatchPolicy>
  /** What transactions are run by; undefined where there are none. */
  readonly unitOfWork: UnitOfWork | undefined
  /** How many calls share a transaction where operations stand alone; undefined for none. */
  readonly transactionSize: number | undefined
  /** How retries are recognised; undefined where they are not. */
  readonly idempotency: IdempotencySettings | undefined
  /** How values are kept for replay. Default: as the JSON they are. */
  readonly format?: ValueFormat | undefined
  /** Turns what a handler threw into a failure of the application's; undefined leaves it a defect. */
  readonly mapError: ((error: unknown) => Failure | undefined) | undefined
  /** Told of defects; undefined logs them. */
  readonly onUnexpected: OnUnexpected | undefined
}

/** Where an unexpected error happened: in an operation, or in the batch as a whole. */
export interface UnexpectedOrigin {
  readonly endpoint: string
  readonly operation: Pick<Operation, "index" | "action" | "id"> | undefined
}

/** What is told of an unexpected error, and where it happened. */
export type OnUnexpected = (error: unknown, origin: UnexpectedOrigin) => void

/** One batch to run. */
export interface EngineRequest<Input> {
  readonly batch: Batch<Input>
  readonly dispatcher: Dispatcher<Input>
  readonly tenant: string | undefined
  /** What keeps the idempotency keys of this endpoint apart from those of others. Default: the name of the endpoint. */
  readonly keyScope?: string | undefined
  /** The client's name for the batch as a whole. */
  readonly idempotencyKey?: string | undefined
  /** The caller's account; undefined where nothing is charged. */
  readonly quota?: Quota | undefined
  /** Called soon after every operation has its result, where these are being recorded still. It must not throw. */
  readonly ended?: (() => void) | undefined
  /** Fires when the client has gone away: what has not begun by then does not begin. */
  readonly signal: AbortSignal | undefined
  /** Fires when the batch is to stop at once; its reason says why, in a sentence. */
  readonly stop?: AbortSignal | undefined
}

/** How a batch was run. */
export interface BatchRun {
  /** Whether the batch was done before, as a whole: all of its results are replays. */
  readonly completed: boolean
  /** Whether results could not be recorded, so that a retry may run operations again that have run. */
  readonly unrecorded: boolean
  /** Whether the answer to a commit was lost, so that it is not known of some operations what became of them. */
  readonly isCommitUnknown: boolean
}

/** Runs batches: on success every operation of the batch has its result. A `BatchError` means that nothing ran. */
export class BatchEngine extends Context.Service<
  BatchEngine,
  {
    readonly run: <Input>(request: EngineRequest<Input>, options: EngineOptions) => Effect.Effect<BatchRun, BatchError>
  }
>()("@multistatus/core/BatchEngine") {
  static readonly layerNoDeps: Layer.Layer<BatchEngine, never, Executor> = Layer.effect(
    BatchEngine,
    Effect.gen(function* () {
      const executor = yield* Executor

      const run = Effect.fn("multistatus.batch")(function* <Input>(
        { batch, dispatcher, tenant, keyScope, idempotencyKey, quota, ended, signal, stop }: EngineRequest<Input>,
        options: EngineOptions,
      ) {
        const { endpoint, limits, concurrency, planner, policies, transactionSize, unitOfWork, idempotency } = options
        const startedAt = yield* Clock.currentTimeMillis
        const onDefect = yield* reporter(options)
        yield* Effect.annotateCurrentSpan({ endpoint, operations: batch.operations.length })
        const retries =
          idempotency === undefined
            ? Retries.none
            : yield* Retries.make(batch, {
                settings: idempotency,
                format: options.format,
                endpoint: keyScope ?? endpoint,
                tenant,
                idempotencyKey,
              })
        if (dispatcher.prepare !== undefined) {
          yield* Effect.promise(async () => dispatcher.prepare!(batch.operations, onDefect)).pipe(
            Effect.timeoutOrElse({
              duration: limits.deadlineMs,
              orElse: () => Effect.sync(() => skipUnprepared(batch.operations)),
            }),
          )
        }
        const plan = yield* Effect.fromResult(
          planner(batch, {
            concurrency,
            coalesces: dispatcher.coalesces,
            transactionSize: retries.transactionSize ?? transactionSize,
          }),
        )
        const timeLeft = Effect.map(Clock.currentTimeMillis, (now) => Math.max(0, limits.deadlineMs - now + startedAt))
        const admitAndExecute = Effect.fnUntraced(function* ({ claims, completed, unprotected }: Claimed) {
          const undecided = batch.operations.some(isOutcomeUnknown)
          const admitting = Effect.gen(function* () {
            for (const policy of policies) yield* policy.admit({ batch, plan, endpoint, tenant })
            if (quota !== undefined) yield* quota.charge({ batch, endpoint, tenant })
            const deadlineMs = yield* timeLeft
            const { operationTimeoutMs } = limits
            const onStart = quota?.onStart
            const executing = {
              deadlineMs,
              operationTimeoutMs,
              signal,
              stop,
              onDefect,
              unitOfWork,
              hooks: claims,
              onStart,
            }
            yield* executor.execute(plan, dispatcher, executing)
          })
          yield* Effect.scoped(admitting)
          const isCommitUnknown = !undecided && batch.operations.some(isOutcomeUnknown)
          if (ended !== undefined && claims !== undefined) yieldToEventLoop(ended)
          return { completed, claims, unprotected, isCommitUnknown }
        })
        const { claims, unprotected, ...ran } = yield* retries.around(yield* timeLeft, admitAndExecute)
        yield* options.metrics.ran(tally(batch), (yield* Clock.currentTimeMillis) - startedAt)
        return { ...ran, unrecorded: unprotected || claims?.unrecorded === true }
      })

      return BatchEngine.of({ run })
    }),
  )

  static readonly layer: Layer.Layer<BatchEngine> = Layer.provide(BatchEngine.layerNoDeps, Executor.layer)
}

const isOutcomeUnknown = ({ result }: Operation): boolean => result?.failure?.code === "OUTCOME_UNKNOWN"

// What nobody has validated must not run, however little time is left.
const skipUnprepared = (operations: ReadonlyArray<Operation>): void => {
  const late = failure("DEADLINE_EXCEEDED", "The batch exceeded its deadline", { retryable: true })
  for (const operation of operations) operation.result ??= OperationResult.skipped(late)
}

// Failures that were thrown are failures; the rest is reported in full, and answered without a word of it.
const reporter = Effect.fnUntraced(function* ({ endpoint, mapError, onUnexpected, unitOfWork }: EngineOptions) {
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const log: OnUnexpected = (error, origin) => fork(Effect.logError("An operation died", origin, Cause.die(error)))
  const report = onUnexpected ?? log
  const onDefect: OnDefect = (defect, { index, action, id }) => {
    const known = isFailure(defect) ? defect : attempt(() => mapError?.(defect))
    if (known !== undefined) return OperationResult.error(known)
    if (unitOfWork !== undefined && attempt(() => unitOfWork.isUnavailable?.(defect)) === true) {
      if (beginsOutage(unitOfWork)) attempt(() => report(defect, { endpoint, operation: { index, action, id } }))
      return OperationResult.error(unavailable())
    }
    if (attempt(() => unitOfWork?.isTransient(defect)) === true) return OperationResult.error(conflict())
    attempt(() => report(defect, { endpoint, operation: { index, action, id } }))
    return OperationResult.error(internalFailure())
  }
  return onDefect
})

const unavailable = () =>
  failure("STORE_UNAVAILABLE", "The database cannot be reached: retry later", { retryable: true, retryAfter: 1 })

// A handler outside of a transaction may have had other effects before, so the failure is not final as other conflicts are.
const conflict = () =>
  failure("CONFLICT", "The database reported a conflict with another transaction: retry later", {
    status: 503,
    retryable: true,
    retryAfter: 1,
  })

// What the application does with an error must not become another one.
const attempt = <A>(run: () => A): A | undefined => {
  try {
    return run()
  } catch {
    return undefined
  }
}
