/** A batch endpoint, independent of frameworks: it takes an HTTP request and returns an HTTP response. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { ParentSpan } from "effect/Tracer"
import type { Batch } from "../batch/Batch.ts"
import type { BatchContext } from "../batch/BatchContext.ts"
import { BatchError } from "../batch/BatchError.ts"
import { BatchLimits } from "../batch/BatchLimits.ts"
import type { Codec, EncodeOptions } from "../batch/Codec.ts"
import type { Dispatcher } from "../batch/Dispatcher.ts"
import { OutcomeUnknown } from "../batch/RefusalReason.ts"
import { StrategySelector } from "../batch/StrategySelector.ts"
import { TenantResolver } from "../batch/TenantResolver.ts"
import { BatchEngine, type BatchRun } from "../engine/BatchEngine.ts"
import { ErrorHandling } from "../engine/ErrorHandling.ts"
import { Telemetry } from "../engine/Telemetry.ts"
import { OperationConcurrency } from "../execution/OperationConcurrency.ts"
import { UnitOfWork } from "../execution/UnitOfWorkService.ts"
import { BatchParser } from "../http/BatchParser.ts"
import type { HttpRequest, HttpResponse } from "../http/HttpMessage.ts"
import * as IdempotencyKey from "../http/IdempotencyKey.ts"
import * as Preference from "../http/Preference.ts"
import * as Problem from "../http/Problem.ts"
import { Idempotency } from "../idempotency/Idempotency.ts"
import type { JobEndpointOptions } from "../jobs/JobEndpoint.ts"
import { jobEndpointOf } from "../jobs/jobEndpointOf.ts"
import { Jobs } from "../jobs/Jobs.ts"
import * as JobSubmission from "../jobs/JobSubmission.ts"
import { type BatchQuota, Quota } from "../quota/Quota.ts"
import { ConcurrencyLimit, make as makeConcurrencyLimit } from "./ConcurrencyLimit.ts"
import { describeEndpoint } from "./describeEndpoint.ts"
import * as EndpointKeys from "./EndpointKeys.ts"

/** The parts of an endpoint: its name, its wire format and its dispatcher. */
export interface BatchEndpointOptions<Input, Services = never> {
  /** Name of the endpoint in policies, spans, metrics, idempotency keys and jobs. */
  readonly name: string
  readonly codec: Codec<Input>
  /** Makes the dispatcher of one batch. `Services` are those that the effects of its handlers need. */
  readonly dispatcher: (batch: BatchContext) => Dispatcher<Input, Services>
}

/** A batch endpoint whose answers are effects. */
export interface BatchEndpoint {
  /** Answers a batch. Never fails. Status 499 means that the client has disconnected. */
  readonly handle: (request: HttpRequest) => Effect.Effect<HttpResponse>
  /** Returns a description of what the endpoint accepts. */
  readonly describe: () => HttpResponse
}

/**
 * Makes an endpoint of the services in the context. They are read once, here.
 *
 * **Details** Uses `Quota`, `Idempotency`, `UnitOfWork`, `ConcurrencyLimit` and `Jobs` if the context has them, and the
 * references `TenantResolver`, `OperationConcurrency` and `ErrorHandling`. The effects of handlers get their services from
 * this context, too. A service that the caller of `handle` provides takes precedence.
 */
export const make = <Input, Services = never>({
  name,
  codec,
  dispatcher,
}: BatchEndpointOptions<Input, Services>): Effect.Effect<BatchEndpoint, never, EndpointServices | Services> =>
  Effect.contextWith((context: Context.Context<EndpointServices | Services>) => {
    // Handlers run in the fiber of the batch, which has these services: `makeInContext` provides them to it.
    const provided = dispatcher as (batch: BatchContext) => Dispatcher<Input>
    return makeInContext<Input>({ name, codec, dispatcher: provided }, Context.omit(ParentSpan)(context))
  })

/** The services that every endpoint needs. */
export type EndpointServices = BatchEngine | BatchParser | BatchLimits | StrategySelector | Telemetry

const makeInContext = Effect.fnUntraced(function* <Input>(
  { name, codec, dispatcher }: BatchEndpointOptions<Input>,
  services: Context.Context<never>,
) {
  const engine = yield* BatchEngine
  const parser = yield* BatchParser
  const batchLimits = yield* BatchLimits
  const selector = yield* StrategySelector
  const telemetry = yield* Telemetry
  const tenantOf = yield* TenantResolver
  const { onUnexpected } = yield* ErrorHandling
  const quotas = yield* optional(Quota)
  const idempotency = yield* optional(Idempotency)
  const { within } = (yield* optional(ConcurrencyLimit)) ?? unlimited
  const batchJobs = yield* optional(Jobs)
  const groups = yield* OperationConcurrency
  const jobOptions: JobEndpointOptions<Input> = {
    endpoint: name,
    codec,
    dispatcher,
    limits: batchLimits.published,
    strategy: selector.offer,
    concurrency: typeof groups === "number" ? groups : undefined,
    unitOfWork: yield* optional(UnitOfWork),
    idempotency,
    quota: quotas,
  }
  const jobEndpoint = batchJobs && (yield* jobEndpointOf(jobOptions))
  if (jobEndpoint !== undefined) batchJobs?.register(jobEndpoint)
  const jobs = jobEndpoint && batchJobs && JobSubmission.make(jobEndpoint, batchJobs)

  const reportUnexpected = (error: unknown) =>
    onUnexpected === undefined
      ? Effect.logError("Batch failed unexpectedly", Cause.die(error))
      : Effect.ignoreCause(Effect.sync(() => onUnexpected(error, { endpoint: name, operation: undefined })))

  const run = Effect.fnUntraced(function* (
    request: HttpRequest,
    tenant: string | undefined,
    quota: BatchQuota | undefined,
    progress: Progress,
  ) {
    const keyScope = EndpointKeys.scopeOf(request, name, idempotency?.includeQuery === true)
    const context: BatchContext = { tenant, headers: request.headers, request: request.raw }
    const supported = { return: codec.kind !== "requests", "respond-async": jobs !== undefined }
    const strict = Preference.checkStrict(request.headers, supported)
    progress.isStrict = Result.isSuccess(strict) && strict.success
    if (Result.isFailure(strict)) {
      progress.isUnread = true
      return yield* Effect.fail(strict.failure)
    }
    if (jobs?.isUpload(request) === true) {
      if (quota !== undefined) yield* quota.countEnvelope
      return yield* within(tenant, jobs.upload(request, { tenant, keyScope }))
    }
    const limits = yield* batchLimits.of(context)
    const readLimits = jobs === undefined ? limits : jobs.limitsFor(request, limits)
    const parsed = yield* parser.parse(request, codec, { limits: readLimits, strategy: selector.offer })
    const { envelope } = parsed
    const batch = yield* withStrategy(parsed.batch, tenant)
    if (quota !== undefined) yield* quota.countEnvelope
    if (jobs?.isJob(request, batch) === true) {
      const submitted = yield* within(tenant, jobs.submit(request, { envelope, batch, tenant, keyScope }))
      // The key of a job is always honoured; those of its operations are keys of the endpoint.
      const ignoresKeys = idempotency === undefined && EndpointKeys.areInOperations(envelope.value, codec)
      return ignoresKeys ? withHeaders(submitted, keysNotSupported) : submitted
    }
    const refusal = jobs?.refusal(batch, envelope, limits)
    if (refusal !== undefined) return yield* Effect.fail(refusal)
    const idempotencyKey =
      idempotency === undefined ? undefined : yield* Effect.fromResult(IdempotencyKey.fromRequest(request))
    const running = engine.run({
      endpoint: name,
      batch,
      dispatcher: dispatcher(context),
      limits,
      tenant,
      keyScope,
      idempotencyKey,
      format: codec.format,
      quota,
      signal: request.signal,
    })
    const prefer = Preference.returnPreference(request.headers)
    const ignoresKeys = idempotency === undefined && EndpointKeys.areSent(request, envelope, codec)
    const answered = yield* within(tenant, answerRun(running, batch, { prefer, responseBytes: limits.responseBytes }))
    return ignoresKeys ? withHeaders(answered, keysNotSupported) : answered
  })

  const withStrategy = (batch: Batch<Input>, tenant: string | undefined): Effect.Effect<Batch<Input>, BatchError> => {
    const { operations } = batch
    // A codec returns the default itself if the client requested none.
    const requested = batch.strategy === selector.offer.default ? undefined : batch.strategy
    const selected = selector.select({ operations, requested, tenant })
    return Effect.map(selected, (strategy) => (strategy === batch.strategy ? batch : { ...batch, strategy }))
  }

  const answerRun = (
    running: Effect.Effect<BatchRun, BatchError, Scope.Scope>,
    batch: Batch<Input>,
    encoding: EncodeOptions,
  ) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { completed, isCommitUnknown, recorded } = yield* running
        // An atomic batch has one outcome for all of its operations, and here it is unknown.
        if (isCommitUnknown && codec.kind !== "requests" && batch.strategy._tag === "atomic") {
          return yield* Effect.fail(outcomeUnknown)
        }
        // Encoding takes place while the store records the results.
        const { status, body, preferenceApplied, retryAfter } = codec.encode(batch, encoding)
        const isRecorded = yield* recorded
        const headers = {
          ...(retryAfter !== undefined && { "retry-after": String(retryAfter) }),
          ...(preferenceApplied && { "preference-applied": `return=${encoding.prefer}` }),
          ...(completed && { "idempotency-replayed": "true" }),
          ...(!isRecorded && { "idempotency-status": "not-recorded" }),
        }
        return respond(status, jsonType, body, headers)
      }),
    )

  const answer = Effect.fnUntraced(function* (request: HttpRequest) {
    if (request.isSubRequest) return yield* answerRefusal(nested)
    const tenant = yield* tenantOf(request.raw)
    const quota = quotas && (yield* quotas.open(tenant))
    const progress: Progress = { isUnread: false, isStrict: false }
    const answered = yield* Effect.catchTag(run(request, tenant, quota, progress), "BatchError", answerRefusal)
    const response = finish(answered, progress)
    const standings = yield* quota?.standings ?? Effect.succeed(undefined)
    if (quotas === undefined || standings === undefined) return response
    return { ...response, headers: { ...response.headers, ...quotas.fields(standings) } }
  })

  const answerRefusal = (error: BatchError) => Effect.as(telemetry.refused(name, error.reason.code), refuse(error))

  const batchEndpoint: BatchEndpoint = {
    handle: (request) => {
      const answered = Effect.catchCause(answer(request), (cause) =>
        Effect.as(reportUnexpected(Cause.squash(cause)), died),
      )
      return Effect.updateContext<never, never>((context) => Context.merge(services, context))(answered)
    },
    describe: () => respond(200, jsonType, JSON.stringify(describeEndpoint(jobOptions))),
  }
  return batchEndpoint
})

/** What becomes known of a request while it is handled. */
interface Progress {
  /** Whether it was refused before its body was read. */
  isUnread: boolean
  /** Whether its preferences were handled strictly. */
  isStrict: boolean
}

const finish = (response: HttpResponse, { isUnread, isStrict }: Progress): HttpResponse => {
  if (isUnread) return { ...response, close: true }
  if (!isStrict || response.status >= 400) return response
  const applied = response.headers["preference-applied"]
  const strict = "handling=strict"
  const preferenceApplied = applied === undefined ? strict : `${applied}, ${strict}`
  return withHeaders(response, { "preference-applied": preferenceApplied })
}

const keysNotSupported = { "idempotency-status": "not-supported" }

const withHeaders = (response: HttpResponse, headers: Readonly<Record<string, string>>): HttpResponse => ({
  ...response,
  headers: { ...response.headers, ...headers },
})

const nested = BatchError.invalid(
  "NESTED_BATCH",
  "A batch cannot contain a request to a batch endpoint: send that batch by itself",
)

const outcomeUnknown = new BatchError({ reason: new OutcomeUnknown({}) })

const unlimited = makeConcurrencyLimit()

const optional = <Self, Shape>(key: Context.Key<Self, Shape>): Effect.Effect<Shape | undefined> =>
  Effect.map(Effect.serviceOption(key), Option.getOrUndefined)

const jsonType = "application/json; charset=utf-8"

const respond = (
  status: number,
  type: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
  close = false,
): HttpResponse => ({ status, headers: { "content-type": type, ...headers }, body, close })

/** Makes the response to a batch that was refused. */
export const refuse = (error: BatchError): HttpResponse => {
  const { reason } = error
  const headers: Record<string, string> =
    "retryAfter" in reason && reason.retryAfter !== undefined ? { "retry-after": String(reason.retryAfter) } : {}
  const closes = [408, 413, 415].includes(error.status) || reason.code === "TOO_DEEP"
  return respond(error.status, Problem.mediaType, JSON.stringify(Problem.ofBatchError(error)), headers, closes)
}

/** The response to a batch that failed unexpectedly. */
export const died = respond(500, Problem.mediaType, JSON.stringify(Problem.internal()), {}, true)
