/** A batch endpoint, independent of frameworks: it takes an HTTP request and returns an HTTP response. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { BatchError } from "../batch/BatchError.ts"
import { OutcomeUnknown } from "../batch/RefusalReason.ts"
import type * as Scope from "effect/Scope"
import * as Problem from "../http/Problem.ts"
import * as RequestTarget from "../http/RequestTarget.ts"
import { BatchEngine, type BatchRun, type EngineOptions } from "../engine/BatchEngine.ts"
import * as Quota from "../quota/Quota.ts"
import type { Batch } from "../batch/Batch.ts"
import type { ReturnPreference } from "../batch/Codec.ts"
import type { JobEndpointOptions } from "../jobs/JobEndpoint.ts"
import type { ConcurrencyLimit } from "./ConcurrencyLimit.ts"
import type { HttpRequest, HttpResponse } from "../http/HttpMessage.ts"
import * as IdempotencyKey from "../http/IdempotencyKey.ts"
import * as Preference from "../http/Preference.ts"
import type { BatchJobs } from "../jobs/BatchJobs.ts"
import * as JobSubmission from "../jobs/JobSubmission.ts"
import { jobEndpointOf } from "../jobs/jobEndpointOf.ts"
import * as RateLimitFields from "../quota/RateLimitFields.ts"
import { readEnvelope } from "../http/readBody.ts"

/** Returns the tenant of a request; undefined where it has none. */
export type TenantOf = (request: never) => string | undefined | PromiseLike<string | undefined>

/** The parts of an endpoint: its wire format, its dispatcher, and how batches run. */
export interface BatchEndpointOptions<Input> extends JobEndpointOptions<Input> {
  readonly concurrencyLimit: ConcurrencyLimit
  readonly tenant: TenantOf | undefined
  /** Runs batches as jobs, after their request was answered; undefined where the endpoint has no jobs. */
  readonly jobs?: BatchJobs | undefined
}

/** A batch endpoint whose answers are effects. */
export interface BatchEndpoint {
  /** Answers a batch. Never fails. Status 499 means that the client has disconnected. */
  readonly handle: (request: HttpRequest) => Effect.Effect<HttpResponse>
  /** Returns a description of what the endpoint accepts. */
  readonly describe: () => HttpResponse
}

/** Makes an endpoint that runs batches with the engine in the context. */
export const make = Effect.fnUntraced(function* <Input>(given: BatchEndpointOptions<Input>) {
  const engine = yield* BatchEngine
  const options = { ...given, format: given.format ?? given.codec.format }
  const { codec, limits, strategy, endpoint } = options
  const quotaMemory: Quota.QuotaMemory = { restingUntil: 0 }
  const jobEndpoint = options.jobs && (yield* jobEndpointOf(options, quotaMemory))
  if (jobEndpoint !== undefined) options.jobs?.register(jobEndpoint)
  const jobs = jobEndpoint && options.jobs && JobSubmission.make(jobEndpoint, options.jobs)

  const reportUnexpected = (error: unknown) =>
    options.onUnexpected === undefined
      ? Effect.logError("Batch failed unexpectedly", Cause.die(error))
      : Effect.ignoreCause(Effect.sync(() => options.onUnexpected?.(error, { endpoint, operation: undefined })))

  const run = Effect.fnUntraced(function* (
    request: HttpRequest,
    tenant: string | undefined,
    quota: Quota.Quota | undefined,
  ) {
    const keyScope = request.url === undefined ? undefined : `${endpoint} ${RequestTarget.normalise(request.url)}`
    if (jobs?.isUpload(request) === true) {
      if (quota !== undefined) yield* quota.countEnvelope
      return yield* options.concurrencyLimit.within(tenant, jobs.upload(request, { tenant, keyScope }))
    }
    const readLimits = jobs === undefined ? limits : jobs.limitsFor(request)
    const envelope = yield* readEnvelope(request, readLimits)
    const batch = yield* Effect.fromResult(codec.decode(envelope, { limits: readLimits, strategy }))
    if (quota !== undefined) yield* quota.countEnvelope
    if (jobs?.isJob(request, batch) === true) {
      return yield* options.concurrencyLimit.within(tenant, jobs.submit(request, { envelope, batch, tenant, keyScope }))
    }
    const beyond = jobs?.refusal(batch, envelope)
    if (beyond !== undefined) return yield* Effect.fail(beyond)
    const dispatcher = options.dispatcher({ tenant, headers: request.headers, request: request.raw })
    const idempotencyKey = yield* Effect.fromResult(readKey(request, options))
    const { signal } = request
    const running = engine.run({ batch, dispatcher, tenant, keyScope, idempotencyKey, quota, signal }, options)
    const prefer = Preference.returnPreference(request.headers)
    return yield* options.concurrencyLimit.within(tenant, answerRun(running, batch, prefer))
  })

  const answerRun = (
    running: Effect.Effect<BatchRun, BatchError, Scope.Scope>,
    batch: Batch<Input>,
    prefer: ReturnPreference | undefined,
  ) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { completed, isCommitUnknown, recorded } = yield* running
        // An atomic batch has one outcome for all of its operations, and here it is unknown.
        if (isCommitUnknown && codec.kind !== "requests" && batch.strategy._tag === "atomic") {
          return yield* Effect.fail(outcomeUnknown)
        }
        // Encoding takes place while the store records the results.
        const { status, body, preferenceApplied } = codec.encode(batch, { prefer, responseBytes: limits.responseBytes })
        const isRecorded = yield* recorded
        const headers = {
          ...(preferenceApplied && { "preference-applied": `return=${prefer}` }),
          ...(completed && { "idempotency-replayed": "true" }),
          ...(!isRecorded && { "idempotency-status": "not-recorded" }),
        }
        return respond(status, jsonType, body, headers)
      }),
    )

  const answer = Effect.fnUntraced(function* (request: HttpRequest) {
    if (request.isSubRequest) return yield* answerRefusal(nested)
    const tenant = yield* tenantOf(options.tenant, request)
    const quota = options.quota && (yield* Quota.open(options.quota, quotaMemory, tenant))
    const response = yield* Effect.catchTag(run(request, tenant, quota), "BatchError", answerRefusal)
    const standings = yield* quota?.standings ?? Effect.succeed(undefined)
    if (options.quota === undefined || standings === undefined) return response
    return { ...response, headers: { ...response.headers, ...RateLimitFields.write(options.quota, standings) } }
  })

  const answerRefusal = (error: BatchError) => Effect.as(options.metrics.refused(error.reason.code), refuse(error))

  const batchEndpoint: BatchEndpoint = {
    handle: (request) =>
      Effect.catchCause(answer(request), (cause) => Effect.as(reportUnexpected(Cause.squash(cause)), died)),
    describe: () => respond(200, jsonType, JSON.stringify(describe(options))),
  }
  return batchEndpoint
})

const nested = BatchError.invalid(
  "NESTED_BATCH",
  "A batch cannot contain a request to a batch endpoint: send that batch by itself",
)

const outcomeUnknown = new BatchError({ reason: new OutcomeUnknown({}) })

const readKey = (request: HttpRequest, { idempotency }: Pick<EngineOptions, "idempotency">) =>
  idempotency === undefined ? Result.succeed(undefined) : IdempotencyKey.fromRequest(request)

const tenantOf = (tenant: TenantOf | undefined, { raw }: HttpRequest): Effect.Effect<string | undefined> =>
  tenant === undefined ? Effect.succeed(undefined) : Effect.promise(async () => tenant(raw as never))

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

const describe = <Input>({ codec, limits, strategy, concurrency, quota }: BatchEndpointOptions<Input>) => ({
  kind: codec.kind,
  list: codec.list,
  limits: {
    operations: limits.operations,
    body_bytes: limits.bodyBytes,
    operation_bytes: limits.operationBytes,
    depth: limits.depth,
    deadline_ms: limits.deadlineMs,
    operation_timeout_ms: limits.operationTimeoutMs,
    receive_ms: limits.receiveTimeoutMs,
    response_bytes: limits.responseBytes,
    concurrent_batches: limits.concurrentBatches,
    concurrent_batches_per_tenant: limits.concurrentBatchesPerTenant,
  },
  strategy: strategy.default._tag,
  strategies: [...new Set([strategy.default._tag, ...strategy.choices])],
  concurrency: Number.isFinite(concurrency) ? concurrency : "unbounded",
  quota: quota && {
    mode: quota.mode,
    policies: RateLimitFields.rulesOf(quota).map(({ policy, limit, windowMs }) => ({
      name: policy,
      limit: limit / 1000,
      window_ms: windowMs,
    })),
  },
})
