/** Turns the batches of one endpoint into jobs, and answers with the job or, if the client waits, with its results. */
import * as Effect from "effect/Effect"
import type { Batch } from "../batch/Batch.ts"
import { BatchError } from "../batch/BatchError.ts"
import { PolicyRefusal } from "../batch/RefusalReason.ts"
import type { Envelope, ReturnPreference } from "../batch/Codec.ts"
import type { Limits } from "../batch/Limits.ts"
import type { Strategy } from "../batch/Strategy.ts"
import type { HttpRequest, HttpResponse } from "../http/HttpMessage.ts"
import * as IdempotencyKey from "../http/IdempotencyKey.ts"
import * as Preference from "../http/Preference.ts"
import { readLines } from "../http/readNdjson.ts"
import type { BatchJobs } from "./BatchJobs.ts"
import { decodeLine } from "./ChunkPayload.ts"
import type { JobEndpoint } from "./JobEndpoint.ts"
import type { JobRequest } from "./JobIntake.ts"
import * as JobPage from "./JobPage.ts"
import type { AcceptedJob } from "./JobUpload.ts"

/** The caller of a request. */
export interface JobCaller {
  readonly tenant: string | undefined
  /** Keeps the idempotency keys of this endpoint apart from those of others. Default: the name of the endpoint. */
  readonly keyScope: string | undefined
}

/** A batch that was decoded from a request body. */
export interface DecodedBatch extends JobCaller {
  readonly envelope: Envelope
  readonly batch: Batch
}

/** The jobs of one endpoint. */
export interface JobSubmission {
  /** Whether a request is an upload of NDJSON. */
  readonly isUpload: (request: HttpRequest) => boolean
  /** The limits of a request body: those of jobs if the batch may become one. */
  readonly limitsFor: (request: HttpRequest, limits: Limits) => Limits
  /** Whether a batch becomes a job. */
  readonly isJob: (request: HttpRequest, batch: Batch) => boolean
  /** The error of a batch that runs at once and exceeds the limits of such batches; undefined if it does not. */
  readonly refusal: (batch: Batch, envelope: Envelope, limits: Limits) => BatchError | undefined
  /** Makes a job of a batch. */
  readonly submit: (request: HttpRequest, decoded: DecodedBatch) => Effect.Effect<HttpResponse, BatchError>
  /** Makes a job of an upload. */
  readonly upload: (request: HttpRequest, caller: JobCaller) => Effect.Effect<HttpResponse, BatchError>
}

/** Maximum time that a request waits for its job, in seconds. */
const waitSeconds = 300

/** Maximum number of results in a response to a request that waited for its job. */
const waitedResults = 10_000

/** Makes the jobs of an endpoint. */
export const make = (endpoint: JobEndpoint, jobs: BatchJobs): JobSubmission => {
  const { limits, codec, items } = endpoint
  const { settings } = jobs

  const attempt = <A>(call: () => PromiseLike<A>): Effect.Effect<A, BatchError> =>
    Effect.tryPromise({
      try: async () => call(),
      catch: (error) => {
        if (error instanceof BatchError) return error
        jobs.onError(error)
        return unavailable
      },
    })

  const submit = Effect.fnUntraced(function* (
    request: HttpRequest,
    { tenant, keyScope = endpoint.name }: JobCaller,
    operations: Pick<JobRequest, "strategy" | "expected" | "lines" | "orderKeyOf">,
  ) {
    const key = yield* Effect.fromResult(IdempotencyKey.fromRequest(request))
    const prefer = Preference.returnPreference(request.headers)
    const seconds = Math.min(waitSeconds, Preference.wait(request.headers) ?? 0)
    const keepsData = prefer === "representation" || (seconds > 0 && items.needsData)
    const data = keepsData ? true : prefer === "minimal" ? false : undefined
    const { name, isSequential } = endpoint
    const accepted = yield* attempt(() =>
      jobs.submit({ endpoint: name, tenant, data, key, keyScope, isSequential, ...operations }),
    )
    const ended = seconds > 0 ? yield* attempt(() => jobs.waitForEnd(accepted.id, seconds * 1000)) : undefined
    if (ended !== undefined && ended.total <= waitedResults) {
      return yield* attempt(() => answerWithResults(ended.id, operations.strategy, prefer))
    }
    const state = accepted.isKnown ? (yield* attempt(() => jobs.find(accepted.id)))?.state : undefined
    return answerWithJob(accepted, state ?? "queued", prefer)
  })

  const answerWithJob = (
    { id, total, isKnown }: AcceptedJob,
    status: string,
    prefer: ReturnPreference | undefined,
  ): HttpResponse => ({
    status: 202,
    headers: {
      "content-type": jsonType,
      location: `${settings.url}/${id}`,
      "retry-after": "1",
      "preference-applied": prefer === undefined ? "respond-async" : `respond-async, return=${prefer}`,
      ...(isKnown && { "idempotency-replayed": "true" }),
    },
    body: JSON.stringify({ id, status, total }),
    close: false,
  })

  const answerWithResults = async (
    id: string,
    strategy: Strategy,
    prefer: ReturnPreference | undefined,
  ): Promise<HttpResponse> => {
    const source = { store: settings.engine.store, id, encodeResult: items.encodeResult }
    const results: Array<string> = []
    let cursor: JobPage.JobCursor | undefined = JobPage.start(false)
    while (cursor !== undefined) {
      const page: JobPage.JobPage = await JobPage.read(source, cursor, waitedResults)
      results.push(...page.results)
      cursor = page.next
    }
    const batch = { strategy, operations: results.map(items.decodeResult) }
    const { status, body, preferenceApplied } = codec.encode(batch, { prefer, responseBytes: limits.responseBytes })
    return {
      status,
      headers: {
        "content-type": jsonType,
        "content-location": `${settings.url}/${id}`,
        ...(preferenceApplied && { "preference-applied": `return=${prefer}` }),
      },
      body,
      close: false,
    }
  }

  return {
    isUpload: ({ headers }) => ndjson.test(String(headers["content-type"] ?? "")),
    limitsFor: ({ headers }, limits) =>
      settings.above !== undefined || Preference.respondAsync(headers)
        ? {
            ...limits,
            operations: Math.max(limits.operations, settings.operations),
            bodyBytes: Math.max(limits.bodyBytes, settings.bodyBytes),
          }
        : limits,
    isJob: ({ headers }, { operations }) =>
      Preference.respondAsync(headers) || (settings.above !== undefined && operations.length > settings.above),
    refusal: ({ operations }, { bytes }, limits) => {
      if (operations.length > limits.operations) {
        return BatchError.tooMany("TOO_MANY_OPERATIONS", limits.operations, operations.length)
      }
      return bytes !== undefined && bytes > limits.bodyBytes
        ? BatchError.tooMany("PAYLOAD_TOO_LARGE", limits.bodyBytes, bytes)
        : undefined
    },
    submit: (request, { envelope, batch, ...caller }) => {
      const { operations, strategy } = batch
      const limit = strategy._tag === "atomic" ? settings.atomicOperations : settings.operations
      if (operations.length > limit) {
        return Effect.fail(BatchError.tooMany("TOO_MANY_OPERATIONS", limit, operations.length))
      }
      if (endpoint.requiresKeys && hasNoKey(request) && operations.some(lacksKey)) return Effect.fail(keyRequired)
      const values = (envelope.value as Readonly<Record<string, ReadonlyArray<unknown>>>)[codec.list]!
      return submit(request, caller, {
        strategy,
        expected: operations.length,
        lines: linesOf(values),
        orderKeyOf: (_, index) => operations[index]!.orderKey,
      })
    },
    upload: (request, caller) => {
      if (request.body._tag !== "Stream") return Effect.fail(bodyParsed)
      if (endpoint.requiresKeys && hasNoKey(request)) return Effect.fail(keyRequired)
      const { strategy } = endpoint
      const { operationBytes, receiveTimeoutMs: receiveMs } = limits
      const operations = strategy._tag === "atomic" ? settings.atomicOperations : settings.uploadOperations
      const lineLimits = { operations, operationBytes, receiveMs, bodyBytes: settings.uploadBytes }
      return submit(request, caller, {
        strategy,
        expected: operations,
        lines: readLines(request.body.bytes, lineLimits),
        orderKeyOf: (line, index) => decodeLine(endpoint, line, index, index + 1).orderKey,
      })
    },
  }
}

const linesOf = function* (items: ReadonlyArray<unknown>) {
  for (const item of items) yield { text: JSON.stringify(item) }
}

const hasNoKey = ({ headers }: HttpRequest): boolean => headers["idempotency-key"] === undefined

const lacksKey = ({ idempotencyKey, result }: Batch["operations"][number]): boolean =>
  result === undefined && idempotencyKey === undefined

const unavailable = new BatchError({
  reason: new PolicyRefusal({
    code: "STORE_UNAVAILABLE",
    status: 503,
    detail: "The job store is unreachable: try again, with an Idempotency-Key so that the batch does not run twice",
    retryAfter: 1,
  }),
})

const jsonType = "application/json; charset=utf-8"

// Newline-delimited JSON has no registered media type; these are in use.
const ndjson = /^\s*application\/(x-ndjson|ndjson|jsonl|x-jsonlines)\s*(;|$)/i

const keyRequired = BatchError.invalid("IDEMPOTENCY_KEY_REQUIRED", "Send the header Idempotency-Key with the batch")

const bodyParsed = BatchError.unsupported(
  "NDJSON is read as it arrives, but this body was parsed before: send it to a route without a body parser",
)
