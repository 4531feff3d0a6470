/** The HTTP routes of jobs: clients follow a job, read its results and cancel it. */
import * as Result from "effect/Result"
import type { HttpRequest, HttpResponse } from "../http/HttpMessage.ts"
import * as Problem from "../http/Problem.ts"
import type { EncodeResult } from "./ChunkResults.ts"
import { type ChunkRef, hasEnded, type JobRecord } from "./Job.ts"
import * as JobEvents from "./JobEvents.ts"
import type { JobLooks } from "./JobLooks.ts"
import * as JobPage from "./JobPage.ts"
import * as JobStatus from "./JobStatus.ts"
import type { JobStore } from "./JobStore.ts"

/** Options of the routes. */
export interface JobRoutesOptions {
  readonly store: JobStore
  /** Time for which the results of a cancelled job are kept, in milliseconds. */
  readonly keepMs: number
  /** Returns the encoder of an endpoint's results; undefined if this process does not have the endpoint. */
  readonly encoderOf: (endpoint: string) => EncodeResult | undefined
  /** Reads of jobs, which the event streams of one job share. */
  readonly looks: JobLooks
  /** Maximum number of event streams that are open at once; more are answered 503. */
  readonly followers: number
  /** Ends event streams. */
  readonly closing: AbortSignal
  /** Called after a job was cancelled, with the refs that need not be delivered any more. */
  readonly onCancelled: (refs: ReadonlyArray<ChunkRef>) => Promise<void>
}

/** Answers requests about jobs. Never rejects. */
export type JobRoutes = (request: HttpRequest, tenant: string | undefined) => Promise<HttpResponse>

/** Maximum and default number of results on a page. */
const maxLimit = 1000
const defaultLimit = 100

/**
 * Makes the routes `GET /{id}`, `GET /{id}/results`, `GET /{id}/events` and `DELETE /{id}`.
 *
 * **Details** A job of another tenant gets the response of a job that does not exist.
 */
export const make = (options: JobRoutesOptions): JobRoutes => {
  const { store, keepMs, encoderOf, onCancelled, looks, followers, closing } = options
  let following = 0

  const events = (job: JobRecord, signal: AbortSignal): HttpResponse => {
    if (following >= followers) {
      return problem(503, "OVERLOADED", `${following} clients follow jobs, which is the limit: poll the job instead`, {
        "retry-after": "10",
      })
    }
    const follow = async function* () {
      following++
      try {
        yield* JobEvents.stream(job, { looks, signal: AbortSignal.any([signal, closing]) })
      } finally {
        following--
      }
    }
    return { ...respond(200, "", eventHeaders), stream: follow() }
  }

  const cancel = async (id: string, headers: HttpRequest["headers"]): Promise<HttpResponse> => {
    await onCancelled((await store.cancel(id, keepMs)) ?? [])
    const found = await store.find(id)
    return found === undefined || found.state === "forgotten" ? notFound() : monitor(found, headers)
  }

  const answer = async (request: HttpRequest, tenant: string | undefined): Promise<HttpResponse> => {
    const [path = "", query = ""] = (request.url ?? "").split("?", 2) as [string, string?]
    const [, id, part] = /\/([A-Za-z0-9_-]{22})(?:\/(results|events))?\/?$/.exec(path) ?? []
    if (id === undefined) return notFound()
    const allowed = part === undefined ? ["GET", "HEAD", "DELETE"] : ["GET", "HEAD"]
    if (!allowed.includes(request.method)) return notAllowed(request.method, allowed)
    const job = await store.find(id)
    if (job === undefined || job.tenant !== tenant) return notFound()
    if (job.state === "forgotten") return problem(410, "EXPIRED", "The job has expired, and its results are deleted")
    if (request.method === "DELETE") return cancel(id, request.headers)
    if (part === "results") {
      const source = { store, id, encodeResult: encoderOf(job.endpoint) }
      return results(source, new URLSearchParams(query), request.headers)
    }
    return part === "events" ? events(job, request.signal) : monitor(job, request.headers)
  }

  return async (request, tenant) => {
    try {
      const response = await answer(request, tenant)
      return request.method === "HEAD" ? { ...response, stream: undefined } : response
    } catch {
      return problem(503, "STORE_UNAVAILABLE", "The job store is unreachable: try again", { "retry-after": "1" })
    }
  }
}

const monitor = (job: JobRecord, headers: HttpRequest["headers"]): HttpResponse => {
  const isOver = hasEnded(job.state)
  const wait = job.waiting === undefined ? "" : `-${job.waiting.until}`
  const etag = `W/"${job.state}-${job.succeeded}-${job.failed}-${job.skipped}-${job.updatedAt}${wait}"`
  const fields = {
    etag,
    "cache-control": "no-cache",
    ...(!isOver && { "retry-after": String(JobStatus.retryAfter(job)) }),
  }
  // By the comma alone: a pattern with white space around it takes quadratic time for a header of white space.
  const knownTags = String(headers["if-none-match"] ?? "").split(",")
  if (knownTags.some((tag) => tag.trim() === etag)) return respond(304, "", fields)
  return respond(isOver ? 200 : 202, JobStatus.encode(job), { "content-type": json, ...fields })
}

const results = async (
  source: JobPage.JobPageSource,
  query: URLSearchParams,
  headers: HttpRequest["headers"],
): Promise<HttpResponse> => {
  const status = query.get("status") ?? "all"
  if (status !== "failed" && status !== "all") return invalid(`"status" must be "failed" or "all"`)
  const cursorText = query.get("cursor")
  const cursor =
    cursorText === null ? Result.succeed(JobPage.start(status === "failed")) : JobPage.decodeCursor(cursorText)
  if (Result.isFailure(cursor)) return invalid(cursor.failure)
  const limitText = query.get("limit")
  const limit = limitText === null ? undefined : Number(limitText)
  if (limit !== undefined && !(/^\d+$/.test(limitText!) && limit >= 1 && limit <= maxLimit)) {
    return invalid(`"limit" must be a whole number from 1 to ${maxLimit}`)
  }
  if (/\bapplication\/(x-)?ndjson\b/i.test(String(headers["accept"] ?? ""))) {
    const stream = lines(source, cursor.success, limit)
    return { ...respond(200, "", { "content-type": "application/x-ndjson" }), stream }
  }
  const page = await JobPage.read(source, cursor.success, limit ?? defaultLimit)
  const next = page.next === undefined ? "" : `,"next_cursor":"${JobPage.encodeCursor(page.next)}"`
  return respond(200, `{"results":[${page.results.join(",")}]${next}}`, { "content-type": json })
}

// Ends at the first operation that has not ended.
const lines = async function* (
  source: JobPage.JobPageSource,
  from: JobPage.JobCursor,
  limit: number | undefined,
): AsyncGenerator<string> {
  let remaining = limit ?? Number.POSITIVE_INFINITY
  let cursor: JobPage.JobCursor | undefined = from
  while (cursor !== undefined && remaining > 0) {
    const page: JobPage.JobPage = await JobPage.read(source, cursor, Math.min(remaining, maxLimit))
    if (page.results.length === 0) return
    remaining -= page.results.length
    yield `${page.results.join("\n")}\n`
    cursor = page.next
  }
}

const eventHeaders = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
}

const json = "application/json; charset=utf-8"

const respond = (status: number, body: string, headers: Readonly<Record<string, string>>): HttpResponse => ({
  status,
  headers,
  body,
  close: false,
})

const problem = (
  status: number,
  code: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse =>
  respond(status, JSON.stringify(Problem.make(code, status, detail)), { "content-type": Problem.mediaType, ...headers })

const notFound = () => problem(404, "NOT_FOUND", "There is no such job")
const invalid = (detail: string) => problem(400, "INVALID_REQUEST", detail)
const notAllowed = (method: string, allowed: ReadonlyArray<string>) =>
  problem(405, "METHOD_NOT_ALLOWED", `${method} is not allowed here; allowed are: ${allowed.join(", ")}`, {
    allow: allowed.join(", "),
  })
