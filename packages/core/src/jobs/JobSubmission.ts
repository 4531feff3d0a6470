/** What an endpoint does with batches that become jobs: it takes them in, and answers where they are found. */
import * as Effect from "effect/Effect"
import type { Batch } from "../batch/Batch.ts"
import { BatchError } from "../batch/BatchError.ts"
import { PolicyRefusal } from "../batch/RefusalReason.ts"
import type { JobRecord } from "./Job.ts"
import type { Limits } from "../batch/Limits.ts"
import type { Strategy } from "../batch/Strategy.ts"
import type { JobEndpoint, JobEndpointOptions } from "./JobEndpoint.ts"
import type { JobRequest } from "./JobIntake.ts"
import * as JobPage from "./JobPage.ts"
import { sliceOperations } from "./sliceOperations.ts"
import type { Envelope } from "../batch/Codec.ts"
import type { BatchJobs } from "./BatchJobs.ts"
import type { HttpRequest, HttpResponse } from "../http/HttpMessage.ts"
import * as IdempotencyKey from "../http/IdempotencyKey.ts"
import * as Preference from "../http/Preference.ts"
import { readLines } from "../http/readNdjson.ts"

/** Who sends a batch, and what keeps its idempotency keys apart. */
export interface JobCaller {
  readonly tenant: string | undefined
  readonly keyScope: string | undefined
}

/** A batch that was read. */
export interface ReadBatch extends JobCaller {
  readonly envelope: Envelope
  readonly batch: Batch
}

/** Jobs of one endpoint. */
export interface JobSubmission {
  /** Whether a request sends its operations a line each. */
  readonly isUpload: (request: HttpRequest) => boolean
  /** What a body has to keep to that may become a job. */
  readonly limitsFor: (request: HttpRequest, limits: Limits) => Limits
  /** Whether a batch becomes a job. */
  readonly isTaken: (request: HttpRequest, batch: Batch) => boolean
  /** What refuses a batch that does not become one, and is larger than such may be. */
  readonly beyond: (batch: Batch, envelope: Envelope, limits: Limits) => BatchError | undefined
  readonly take: (request: HttpRequest, read: ReadBatch) => Effect.Effect<HttpResponse, BatchError>
  readonly upload: (request: HttpRequest, caller: JobCaller) => Effect.Effect<HttpResponse, BatchError>
}

/** Seconds that a client may have its answer waited for. */
const longestWait = 300

/** Results that an answer may have which was waited for. */
const mostResults = 10_000

export const make = <Input>(
  options: JobEndpointOptions<Input>,
  endpoint: JobEndpoint,
  jobs: BatchJobs,
): JobSubmission => {
  const { limits, strategy, idempotency, concurrency, codec } = options
  const { rules } = jobs

  const attempt = <A>(run: () => PromiseLike<A>): Effect.Effect<A, BatchError> =>
    Effect.tryPromise({
      try: async () => run(),
      catch: (error) => {
        if (error instanceof BatchError) return error
        jobs.onError(error)
        return unavailable
      },
    })

  const answerTo = Effect.fnUntraced(function* (
    request: HttpRequest,
    { tenant, keyScope = endpoint.name }: JobCaller,
    job: Pick<JobRequest, "strategy" | "expected" | "targets" | "lines">,
  ) {
    const key = yield* Effect.fromResult(IdempotencyKey.fromRequest(request))
    const prefer = Preference.returnPreference(request.headers)
    const waited = Math.min(longestWait, Preference.wait(request.headers) ?? 0)
    // The short answer of a bulk endpoint is made of what its action returned.
    const data =
      prefer === "representation" || (waited > 0 && codec.kind === "bulk")
        ? true
        : prefer === "minimal"
          ? false
          : undefined
    const isSequential = concurrency === 1
    const taking: JobRequest = { endpoint: endpoint.name, tenant, data, key, keyScope, isSequential, ...job }
    const taken = yield* attempt(() => jobs.take(taking))
    const ended = waited > 0 ? yield* attempt(() => jobs.ended(taken.id, waited * 1000)) : undefined
    if (ended !== undefined && ended.total <= mostResults) {
      return yield* attempt(() => answerNow(ended, job.strategy, { prefer, responseBytes: limits.responseBytes }))
    }
    const status = taken.isKnown ? ((yield* attempt(() => jobs.find(taken.id)))?.state ?? "queued") : "queued"
    const applied = prefer === undefined ? "respond-async" : `respond-async, return=${prefer}`
    const answer: HttpResponse = {
      status: 202,
      headers: {
        "content-type": jsonType,
        location: `${rules.url}/${taken.id}`,
        "retry-after": "1",
        "preference-applied": applied,
        ...(taken.isKnown && { "idempotency-replayed": "true" }),
      },
      body: JSON.stringify({ id: taken.id, status, total: taken.total }),
      close: false,
    }
    return answer
  })

  const answerNow = async (
    { id }: JobRecord,
    chosen: Strategy,
    encoding: Parameters<NonNullable<typeof codec.encodeResults>>[2],
  ): Promise<HttpResponse> => {
    const results: Array<string> = []
    let cursor: JobPage.JobCursor | undefined = JobPage.start(false)
    while (cursor !== undefined) {
      const page: JobPage.JobPage = await JobPage.read(rules.engine.store, id, cursor, mostResults)
      results.push(...page.results)
      cursor = page.next
    }
    const { status, body, preferenceApplied: honoured } = codec.encodeResults!(results, chosen, encoding)
    const applied =
      honoured && encoding.prefer !== undefined ? { "preference-applied": `return=${encoding.prefer}` } : {}
    return {
      status,
      headers: { "content-type": jsonType, "content-location": `${rules.url}/${id}`, ...applied },
      body,
      close: false,
    }
  }

  return {
    isUpload: ({ headers }) => ndjson.test(String(headers["content-type"] ?? "")),
    limitsFor: ({ headers }, limits) =>
      rules.above !== undefined || Preference.respondAsync(headers)
        ? {
            ...limits,
            operations: Math.max(limits.operations, rules.operations),
            bodyBytes: Math.max(limits.bodyBytes, rules.bodyBytes),
          }
        : limits,
    isTaken: ({ headers }, { operations }) =>
      Preference.respondAsync(headers) || (rules.above !== undefined && operations.length > rules.above),
    beyond: ({ operations }, { bytes }, limits) => {
      if (operations.length > limits.operations) {
        return BatchError.tooMany("TOO_MANY_OPERATIONS", limits.operations, operations.length)
      }
      return bytes !== undefined && bytes > limits.bodyBytes
        ? BatchError.tooMany("PAYLOAD_TOO_LARGE", limits.bodyBytes, bytes)
        : undefined
    },
    take: (request, { envelope, batch, ...caller }) => {
      const { operations } = batch
      const most = batch.strategy._tag === "atomic" ? rules.atomicOperations : rules.operations
      if (operations.length > most) {
        return Effect.fail(BatchError.tooMany("TOO_MANY_OPERATIONS", most, operations.length))
      }
      const isUnkeyed = request.headers["idempotency-key"] === undefined && operations.some(lacksKey)
      if (idempotency?.required === true && isUnkeyed) return Effect.fail(keyRequired)
      const items = (envelope.value as Readonly<Record<string, ReadonlyArray<unknown>>>)[codec.list]!
      let noted = 0
      return answerTo(request, caller, {
        strategy: batch.strategy,
        expected: operations.length,
        lines: (function* () {
          for (const item of items) yield JSON.stringify(item)
        })(),
        targets: (lines) => operations.slice(noted, (noted += lines.length)).map(({ orderKey }) => orderKey),
      })
    },
    upload: (request, caller) => {
      if (request.body._tag !== "Stream") return Effect.fail(parsedAlready)
      if (idempotency?.required === true && request.headers["idempotency-key"] === undefined) {
        return Effect.fail(keyRequired)
      }
      const operations = strategy.default._tag === "atomic" ? rules.atomicOperations : rules.uploadOperations
      const { operationBytes, receiveTimeoutMs: receiveMs } = limits
      const lineLimits = { operations, operationBytes, receiveMs, bodyBytes: rules.uploadBytes }
      return answerTo(request, caller, {
        strategy: strategy.default,
        expected: operations,
        lines: readLines(request.body.bytes, lineLimits),
        targets: (lines) => sliceOperations(endpoint, lines, 0).map(({ orderKey }) => orderKey),
      })
    },
  }
}

const lacksKey = ({ idempotencyKey, result }: Batch["operations"][number]): boolean =>
  result === undefined && idempotencyKey === undefined

const unavailable = new BatchError({
  reason: new PolicyRefusal({
    code: "STORE_UNAVAILABLE",
    status: 503,
    detail: "The store of jobs cannot be reached: try again, with an Idempotency-Key so that nothing happens twice",
    retryAfter: 1,
  }),
})

const jsonType = "application/json; charset=utf-8"

// The registered name of newline-delimited JSON has yet to come; these are the ones in use.
const ndjson = /^\s*application\/(x-ndjson|ndjson|jsonl|x-jsonlines)\s*(;|$)/i

const keyRequired = BatchError.invalid("IDEMPOTENCY_KEY_REQUIRED", "Send the header Idempotency-Key with the batch")

const parsedAlready = BatchError.unsupported(
  "Lines of JSON are read as they arrive, and something has read this body before: send it to where no body parser is",
)
