/** A batch endpoint, neutral of frameworks: an HTTP request in, an HTTP response out. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { BatchError } from "../batch/BatchError.ts"
import { OutcomeUnknown } from "../batch/RefusalReason.ts"
import * as Problem from "../http/Problem.ts"
import * as RequestTarget from "../http/RequestTarget.ts"
import { BatchEngine, type EngineOptions } from "../engine/BatchEngine.ts"
import * as Quota from "../quota/Quota.ts"
import type { Encoded } from "../batch/Codec.ts"
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

/** Tells who is calling. */
export type TenantOf = (request: never) => string | undefined | PromiseLike<string | undefined>

/** What an endpoint is made of: a wire format, what runs its operations, and how. */
export interface BatchEndpointOptions<Input> extends JobEndpointOptions<Input> {
  readonly concurrencyLimit: ConcurrencyLimit
  readonly tenant: TenantOf | undefined
  /** What runs batches that outlive their requests; undefined where nothing does. */
  readonly jobs?: BatchJobs | undefined
}

/** A batch endpoint that answers with effects. */
export interface BatchEndpoint {
  /** Answers a batch; never fails. A response with status 499 has nobody to read it. */
  readonly handle: (request: HttpRequest) => Effect.Effect<HttpResponse>
  /** Answers what the endpoint accepts. */
  readonly describe: () => HttpResponse
}

/** Makes an endpoint on the engine in the context. */
export const make = Effect.fnUntraced(function* <Input>(options: BatchEndpointOptions<Input>) {
  const engine = yield* BatchEngine
  const { codec, limits, strategy, endpoint } = options
  const quotaMemory: Quota.QuotaMemory = { restingUntil: 0 }
  const jobEndpoint = options.jobs && (yield* jobEndpointOf(options, quotaMemory))
  if (jobEndpoint !== undefined) options.jobs?.register(jobEndpoint)
  const jobs = jobEndpoint && options.jobs && JobSubmission.make(options, jobEndpoint, options.jobs)

  const onDied = (error: unknown) =>
    options.onUnexpected === undefined
      ? Effect.logError("A batch died", Cause.die(error))
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
    const reading = jobs === undefined ? limits : jobs.limitsFor(request)
    const envelope = yield* readEnvelope(request, reading)
    const batch = yield* Effect.fromResult(codec.decode(envelope, { limits: reading, strategy }))
    if (quota !== undefined) yield* quota.countEnvelope
    if (jobs?.isTaken(request, batch) === true) {
      return yield* options.concurrencyLimit.within(tenant, jobs.take(request, { envelope, batch, tenant, keyScope }))
    }
    const beyond = jobs?.beyond(batch, envelope)
    if (beyond !== undefined) return yield* Effect.fail(beyond)
    const dispatcher = options.dispatcher({ tenant, headers: request.headers, request: request.raw })
    const idempotencyKey = yield* Effect.fromResult(readKey(request, options))
    const { signal } = request
    const prefer = Preference.returnPreference(request.headers)
    const encode = () => codec.encode(batch, { prefer, responseBytes: limits.responseBytes })
    let encoded: Encoded | undefined
    let isRecorded = false
    // While the store takes results in, there is nothing to do but this. What fails here fails again below, where it is told.
    const ended = () => {
      if (!isRecorded) encoded = Result.getOrUndefined(Result.try(encode))
    }
    const running = engine.run({ batch, dispatcher, tenant, keyScope, idempotencyKey, quota, ended, signal }, options)
    const { completed, unrecorded, isCommitUnknown } = yield* options.concurrencyLimit.within(tenant, running)
    isRecorded = true
    // An atomic batch answers for all of its operations at once, so it must not guess.
    if (isCommitUnknown && codec.kind !== "requests" && batch.strategy._tag === "atomic") {
      return yield* Effect.fail(outcomeUnknown)
    }
    const { status, body, preferenceApplied: honoured, retryAfter } = encoded ?? encode()
    const headers = {
      ...(retryAfter !== undefined && { "retry-after": String(retryAfter) }),
      ...(honoured && { "preference-applied": `return=${prefer}` }),
      ...(completed && { "idempotency-replayed": "true" }),
      ...(unrecorded && { "idempotency-status": "not-recorded" }),
    }
    return respond(status, jsonType, body, headers)
  })

  const answer = Effect.fnUntraced(function* (request: HttpRequest) {
    if (request.isSubRequest) return yield* refused(nested)
    const tenant = yield* tenantOf(options.tenant, request)
    const quota = options.quota && (yield* Quota.open(options.quota, quotaMemory, tenant))
    const response = yield* Effect.catchTag(run(request, tenant, quota), "BatchError", refused)
    const standings = yield* quota?.standings ?? Effect.succeed(undefined)
    if (options.quota === undefined || standings === undefined) return response
    return { ...response, headers: { ...response.headers, ...RateLimitFields.write(options.quota, standings) } }
  })

  const refused = (error: BatchError) => Effect.as(options.metrics.refused(error.reason.code), refuse(error))

  const endpointOf: BatchEndpoint = {
    handle: (request) => Effect.catchCause(answer(request), (cause) => Effect.as(onDied(Cause.squash(cause)), died)),
    describe: () => respond(200, jsonType, JSON.stringify(describe(options))),
  }
  return endpointOf
})

const nested = BatchError.invalid("NESTED_BATCH", "A batch must not hold a request to a batch endpoint")

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

/** The answer to a batch that was refused. */
export const refuse = (error: BatchError): HttpResponse => {
  const { reason } = error
  const headers: Record<string, string> =
    "retryAfter" in reason && reason.retryAfter !== undefined ? { "retry-after": String(reason.retryAfter) } : {}
  const unread = [408, 413, 415].includes(error.status) || reason.code === "TOO_DEEP"
  return respond(error.status, Problem.mediaType, JSON.stringify(Problem.ofBatchError(error)), headers, unread)
}

/** The answer where nothing is known of a batch but that it was not answered. */
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
