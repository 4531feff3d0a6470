/** The pipeline of every batch: prepare, plan, claim idempotency keys, admit, execute, record results. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { type Batch, tally } from "../batch/Batch.ts"
import type { BatchError } from "../batch/BatchError.ts"
import type { ValueFormat } from "../batch/Codec.ts"
import type { Dispatcher, OnDefect } from "../batch/Dispatcher.ts"
import { failure, internalFailure, isFailure } from "../batch/Failure.ts"
import type { Limits } from "../batch/Limits.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import { OutputError } from "../batch/OutputError.ts"
import { BatchPolicies } from "../execution/BatchPolicies.ts"
import { Executor } from "../execution/Executor.ts"
import { OperationConcurrency } from "../execution/OperationConcurrency.ts"
import { TransactionSize } from "../execution/TransactionSize.ts"
import { UnitOfWork } from "../execution/UnitOfWorkService.ts"
import * as Idempotency from "../idempotency/Idempotency.ts"
import { Planner } from "../planning/Planner.ts"
import type { BatchQuota } from "../quota/Quota.ts"
import { type BatchServices, batchServices } from "./BatchServices.ts"
import { type ErrorHandler, ErrorHandling, type OnUnexpected } from "./ErrorHandling.ts"
import { beginsOutage } from "./OutageReports.ts"
import { Telemetry } from "./Telemetry.ts"

/** One batch to run. */
export interface EngineRequest<Input> {
  /** Name of the endpoint, for policies, spans, metrics and idempotency keys. */
  readonly endpoint: string
  readonly batch: Batch<Input>
  readonly dispatcher: Dispatcher<Input>
  /** The limits of time of the batch. */
  readonly limits: Pick<Limits, "deadlineMs" | "operationTimeoutMs">
  readonly tenant: string | undefined
  /** Separates the idempotency keys of this endpoint from those of others. Default: the name of the endpoint. */
  readonly keyScope?: string | undefined
  /** The client's idempotency key for the batch as a whole. */
  readonly idempotencyKey?: string | undefined
  /** How values are stored for replays. Default: as JSON. */
  readonly format?: ValueFormat | undefined
  /** The caller's quota; undefined where nothing is charged. */
  readonly quota?: BatchQuota | undefined
  /** Fires when the client has disconnected: operations that have not started are cancelled. */
  readonly signal: AbortSignal | undefined
  /** Fires when the batch has to stop at once. Its reason says why, in a sentence. */
  readonly stop?: AbortSignal | undefined
  /** An open transaction, as a unit of work, in which the whole batch runs. Default: the batch opens its own. */
  readonly within?: UnitOfWork["Service"] | undefined
  /** Whether required idempotency keys were checked when the batch was accepted. Default false. */
  readonly areKeysChecked?: boolean | undefined
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
    readonly run: <Input>(request: EngineRequest<Input>) => Effect.Effect<BatchRun, BatchError, Scope.Scope>
  }
>()("@multistatus/core/BatchEngine") {
  /**
   * Runs batches with the services of the context.
   *
   * **Details** Uses `UnitOfWork` and `Idempotency` if the context has them, and the references `BatchPolicies`,
   * `OperationConcurrency`, `TransactionSize` and `ErrorHandling`. All of them are read once, when the layer is built.
   */
  static readonly layerNoDeps: Layer.Layer<BatchEngine, never, Planner | Executor | Telemetry> = Layer.effect(
    BatchEngine,
    Effect.gen(function* () {
      const planner = yield* Planner
      const executor = yield* Executor
      const telemetry = yield* Telemetry
      const policies = yield* BatchPolicies
      const concurrency = yield* OperationConcurrency
      const sharedTransactionSize = yield* TransactionSize
      const errorHandler = yield* ErrorHandling
      const configuredUnitOfWork = Option.getOrUndefined(yield* Effect.serviceOption(UnitOfWork))
      const idempotent = Option.getOrUndefined(yield* Effect.serviceOption(Idempotency.Idempotency))

      const runBatch = Effect.fnUntraced(function* <Input>(request: EngineRequest<Input>) {
        const { batch, dispatcher, endpoint, limits, tenant, quota, signal, stop, within, areKeysChecked } = request
        const { keyScope = endpoint, idempotencyKey, format } = request
        const { deadlineMs, operationTimeoutMs } = limits
        const startedAt = yield* Clock.currentTimeMillis
        const elapsed = Effect.map(Clock.currentTimeMillis, (now) => now - startedAt)
        const timeLeft = Effect.map(elapsed, (milliseconds) => Math.max(0, deadlineMs - milliseconds))
        const onDefect = yield* reporter(endpoint, errorHandler, within ?? configuredUnitOfWork)
        const onOutage = yield* outageReporter(endpoint, errorHandler)
        const idempotency =
          idempotent === undefined
            ? Idempotency.none
            : yield* idempotent.prepare(batch, {
                format,
                endpoint: keyScope,
                tenant,
                idempotencyKey,
                areKeysChecked,
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
        // Savepoints of one transaction must not overlap.
        const isSequential = within !== undefined
        const transactionSize = isSequential ? batch.operations.length : sharedTransactionSize
        const plan = yield* Effect.fromResult(
          planner.plan(batch, {
            concurrency: isSequential
              ? 1
              : atLeastOne(typeof concurrency === "number" ? concurrency : yield* concurrency),
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
            unitOfWork: within ?? configuredUnitOfWork,
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
            yield* telemetry.ran(endpoint, tally(batch), yield* elapsed)
          }),
        )
        return { completed, isCommitUnknown, recorded }
      })

      return BatchEngine.of({
        run: (request) => telemetry.trace(request.endpoint, request.batch.operations.length, runBatch(request)),
      })
    }),
  )

  /** The default of every service that endpoints need beside the engine. Services that the context has already stay. */
  static readonly layerServices: Layer.Layer<BatchServices> = batchServices

  /**
   * The engine, and the services that endpoints need beside it.
   *
   * **Details** To replace a service, provide another one to this layer: `Layer.provide(BatchEngine.layer, myPlanner)`. A layer
   * is built once per application; two endpoints with different services take `Layer.fresh(BatchEngine.layer)` each.
   */
  static readonly layer: Layer.Layer<BatchEngine | BatchServices> = Layer.provideMerge(
    BatchEngine.layerNoDeps,
    BatchEngine.layerServices,
  )
}

const atLeastOne = (groups: number): number => (groups >= 1 ? Math.floor(groups) : 1)

const isOutcomeUnknown = ({ result }: Operation): boolean => result?.failure?.code === "OUTCOME_UNKNOWN"

// Operations that were not validated must not run, even if the deadline leaves them no time to be validated.
const skipUnprepared = (operations: ReadonlyArray<Operation>): void => {
  const late = failure("DEADLINE_EXCEEDED", "The batch exceeded its deadline", { retryable: true })
  for (const operation of operations) operation.result ??= OperationResult.skipped(late)
}

/** Makes the function that answers for errors of handlers: failures as they are, unexpected ones without any detail. */
const reporter = Effect.fnUntraced(function* (
  endpoint: string,
  { mapError, onUnexpected }: ErrorHandler,
  unitOfWork: UnitOfWork["Service"] | undefined,
) {
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const log: OnUnexpected = (error, origin) =>
    fork(Effect.logError("Operation failed unexpectedly", origin, Cause.die(error)))
  const report = onUnexpected ?? log
  const onDefect: OnDefect = (defect, { index, action, id }) => {
    const known = isFailure(defect)
      ? defect
      : defect instanceof OutputError
        ? undefined
        : attempt(() => mapError?.(defect))
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

/** Makes the function that reports why the idempotency store did not answer. */
const outageReporter = Effect.fnUntraced(function* (endpoint: string, { onUnexpected }: ErrorHandler) {
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  return (error: unknown): void => {
    if (onUnexpected === undefined)
      fork(Effect.logError("The idempotency store failed", { endpoint }, Cause.die(error)))
    else attempt(() => onUnexpected(error, { endpoint, operation: undefined }))
  }
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

// An error that the application throws while it handles an error must not fail the batch.
const attempt = <A>(run: () => A): A | undefined => {
  try {
    return run()
  } catch {
    return undefined
  }
}
