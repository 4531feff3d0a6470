/** The pipeline of every batch: prepare, plan, claim idempotency keys, admit, execute, record results. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type Batch, tally } from "../batch/Batch.ts"
import type { BatchError } from "../batch/BatchError.ts"
import type { ValueFormat } from "../batch/Codec.ts"
import type { Dispatcher, OnDefect } from "../batch/Dispatcher.ts"
import { type Failure, failure, internalFailure, isFailure } from "../batch/Failure.ts"
import type { Limits } from "../batch/Limits.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { BatchPolicy } from "../execution/BatchPolicy.ts"
import { Executor } from "../execution/Executor.ts"
import type { UnitOfWork } from "../execution/UnitOfWork.ts"
import * as Idempotency from "../idempotency/Idempotency.ts"
import type { IdempotencySettings } from "../idempotency/IdempotencySettings.ts"
import type { Planner } from "../planning/Plan.ts"
import type { Quota } from "../quota/Quota.ts"
import type * as BatchMetrics from "./BatchMetrics.ts"

/** How the batches of one endpoint run. */
export interface EngineOptions {
  /** Name of the endpoint, for policies, spans and metrics. */
  readonly endpoint: string
  /** Records metrics of the endpoint's batches: `BatchMetrics.recorder(endpoint)`. */
  readonly metrics: BatchMetrics.BatchRecorder
  readonly limits: Limits
  /** Maximum number of commit groups that run at once: an integer from 1, or `Infinity`. */
  readonly concurrency: number
  readonly planner: Planner
  /** In the order in which they admit a batch. */
  readonly policies: ReadonlyArray<BatchPolicy>
  /** Runs transactions; undefined where there are none. */
  readonly unitOfWork: UnitOfWork | undefined
  /** How many calls of independent operations share a transaction; undefined for no transactions. */
  readonly transactionSize: number | undefined
  /** How retries are recognised; undefined where they are not. */
  readonly idempotency: IdempotencySettings | undefined
  /** How values are stored for replays. Default: as JSON. */
  readonly format?: ValueFormat | undefined
  /** Maps an error that a handler threw to a failure. Undefined, or a result of undefined, leaves the error unexpected. */
  readonly mapError: ((error: unknown) => Failure | undefined) | undefined
  /** Called with unexpected errors. Default: they are logged. */
  readonly onUnexpected: OnUnexpected | undefined
}

/** Where an unexpected error happened. `operation` is undefined where it concerns the batch as a whole. */
export interface UnexpectedOrigin {
  readonly endpoint: string
  readonly operation: Pick<Operation, "index" | "action" | "id"> | undefined
}

/** Called with an unexpected error and where it happened. */
export type OnUnexpected = (error: unknown, origin: UnexpectedOrigin) => void

/** One batch to run. */
export interface EngineRequest<Input> {
  readonly batch: Batch<Input>
  readonly dispatcher: Dispatcher<Input>
  readonly tenant: string | undefined
  /** Separates the idempotency keys of this endpoint from those of others. Default: the name of the endpoint. */
  readonly keyScope?: string | undefined
  /** The client's idempotency key for the batch as a whole. */
  readonly idempotencyKey?: string | undefined
  /** The caller's quota; undefined where nothing is charged. */
  readonly quota?: Quota | undefined
  /** Fires when the client has disconnected: operations that have not started are cancelled. */
  readonly signal: AbortSignal | undefined
  /** Fires when the batch has to stop at once. Its reason says why, in a sentence. */
  readonly stop?: AbortSignal | undefined
}

/** A batch that has run: every operation has its final result. Results may still be on their way to the store. */
export interface BatchRun {
  /** Whether an earlier execution completed the batch: every result is a replay. */
  readonly completed: boolean
  /** Whether the answer to a commit was lost, so that the outcome of some operations is unknown. */
  readonly isCommitUnknown: boolean
  /** Waits until results are recorded: true if they are, false if a retry may run operations again. */
  readonly recorded: Effect.Effect<boolean>
}

/**
 * Runs batches.
 *
 * **Details** `run` succeeds when every operation has its final result, so that the caller can encode the answer while
 * results are recorded. Closing the scope waits for the recording. A `BatchError` means that nothing ran.
 */
export class BatchEngine extends Context.Service<
  BatchEngine,
  {
    readonly run: <Input>(
      request: EngineRequest<Input>,
      options: EngineOptions,
    ) => Effect.Effect<BatchRun, BatchError, Scope.Scope>
  }
>()("@multistatus/core/BatchEngine") {
  static readonly layerNoDeps: Layer.Layer<BatchEngine, never, Executor> = Layer.effect(
    BatchEngine,
    Effect.gen(function* () {
      const executor = yield* Executor

      const runBatch = Effect.fnUntraced(function* <Input>(request: EngineRequest<Input>, options: EngineOptions) {
        const { batch, dispatcher, tenant, keyScope, idempotencyKey, quota, signal, stop } = request
        const { endpoint, format, limits, concurrency, planner, policies, transactionSize, unitOfWork } = options
        const { deadlineMs, operationTimeoutMs } = limits
        const startedAt = yield* Clock.currentTimeMillis
        const elapsed = Effect.map(Clock.currentTimeMillis, (now) => now - startedAt)
        const timeLeft = Effect.map(elapsed, (milliseconds) => Math.max(0, deadlineMs - milliseconds))
        const onDefect = yield* reporter(options)
        const onOutage = yield* outageReporter(options)
        const idempotency =
          options.idempotency === undefined
            ? Idempotency.none
            : yield* Idempotency.prepare(batch, {
                settings: options.idempotency,
                format,
                endpoint: keyScope ?? endpoint,
                tenant,
                idempotencyKey,
                onOutage,
              })
        if (dispatcher.prepare !== undefined) {
          yield* Effect.promise(async () => dispatcher.prepare!(batch.operations, onDefect)).pipe(
            Effect.timeoutOrElse({
              duration: deadlineMs,
              orElse: () => Effect.sync(() => skipUnprepared(batch.operations)),
            }),
          )
        }
        const plan = yield* Effect.fromResult(
          planner(batch, {
            concurrency,
            coalesces: dispatcher.coalesces,
            transactionSize: idempotency.transactionSize ?? transactionSize,
          }),
        )
        const { hooks, completed, record } = yield* idempotency.claim(yield* timeLeft)
        const hadUnknownOutcome = batch.operations.some(isOutcomeUnknown)
        const admitAndExecute = Effect.gen(function* () {
          for (const policy of policies) yield* policy.admit({ batch, plan, endpoint, tenant })
          if (quota !== undefined) yield* quota.charge({ batch, endpoint, tenant })
          yield* executor.execute(plan, dispatcher, {
            deadlineMs: yield* timeLeft,
            operationTimeoutMs,
            signal,
            stop,
            onDefect,
            unitOfWork,
            hooks,
            onStart: quota?.onStart,
          })
        })
        yield* Effect.scoped(admitAndExecute)
        const isCommitUnknown = !hadUnknownOutcome && batch.operations.some(isOutcomeUnknown)
        const recorded = yield* record
        // The duration of a batch includes the time that the store takes.
        yield* Effect.addFinalizer(() =>
          Effect.gen(function* () {
            yield* recorded
            yield* options.metrics.ran(tally(batch), yield* elapsed)
          }),
        )
        return { completed, isCommitUnknown, recorded }
      })

      return BatchEngine.of({
        run: (request, options) =>
          Effect.withSpanScoped(runBatch(request, options), "multistatus.batch", {
            attributes: { endpoint: options.endpoint, operations: request.batch.operations.length },
          }),
      })
    }),
  )

  static readonly layer: Layer.Layer<BatchEngine> = Layer.provide(BatchEngine.layerNoDeps, Executor.layer)
}

const isOutcomeUnknown = ({ result }: Operation): boolean => result?.failure?.code === "OUTCOME_UNKNOWN"

// Operations that were not validated must not run, even if the deadline leaves them no time to be validated.
const skipUnprepared = (operations: ReadonlyArray<Operation>): void => {
  const late = failure("DEADLINE_EXCEEDED", "The batch exceeded its deadline", { retryable: true })
  for (const operation of operations) operation.result ??= OperationResult.skipped(late)
}

/** Makes the function that answers for errors of handlers: failures as they are, unexpected ones without any detail. */
const reporter = Effect.fnUntraced(function* ({ endpoint, mapError, onUnexpected }: EngineOptions) {
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const log: OnUnexpected = (error, origin) =>
    fork(Effect.logError("Operation failed unexpectedly", origin, Cause.die(error)))
  const report = onUnexpected ?? log
  const onDefect: OnDefect = (defect, { index, action, id }) => {
    const known = isFailure(defect) ? defect : attempt(() => mapError?.(defect))
    if (known !== undefined) return OperationResult.error(known)
    attempt(() => report(defect, { endpoint, operation: { index, action, id } }))
    return OperationResult.error(internalFailure())
  }
  return onDefect
})

/** Makes the function that reports why the idempotency store did not answer. */
const outageReporter = Effect.fnUntraced(function* ({ endpoint, onUnexpected }: EngineOptions) {
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  return (error: unknown): void => {
    if (onUnexpected === undefined)
      fork(Effect.logError("The idempotency store failed", { endpoint }, Cause.die(error)))
    else attempt(() => onUnexpected(error, { endpoint, operation: undefined }))
  }
})

// An error that the application throws while it handles an error must not fail the batch.
const attempt = <A>(run: () => A): A | undefined => {
  try {
    return run()
  } catch {
    return undefined
  }
}
