/** What clients see of a job: its monitor, its results, its events; and how they stop it. */
import * as Result from "effect/Result"
import { hasEnded, type JobRecord } from "./Job.ts"
import * as Problem from "../http/Problem.ts"
import type { JobStore } from "./JobStore.ts"
import type { HttpRequest, HttpResponse } from "../http/HttpMessage.ts"
import * as JobPage from "./JobPage.ts"

export interface JobRoutesOptions {
  readonly store: JobStore
  /** Milliseconds for which results are kept after the end, as they are once a job is stopped. */
  readonly keepMs: number
  /** Told of jobs that were stopped, with the chunks that will not run any more. */
  readonly onCancelled: (refs: NonNullable<Awaited<ReturnType<JobStore["cancel"]>>>) => Promise<void>
}

/** Answers requests about jobs; never rejects. */
export type JobRoutes = (request: HttpRequest, tenant: string | undefined) => Promise<HttpResponse>

/** Milliseconds between two looks at a job whose events are followed. */
const lookMs = 250
/** Milliseconds after which a silent stream of events says that it is still there. */
const aliveMs = 15_000

const mostResults = 1000
const standardResults = 100

/**
 * Answers what stands under the url of jobs: `GET /{id}`, `GET /{id}/results`, `GET /{id}/events`, `DELETE /{id}`.
 *
 * **Details** Jobs of other tenants are answered as jobs that do not exist.
 */
export const make = ({ store, keepMs, onCancelled }: JobRoutesOptions): JobRoutes => {
  const answer = async (request: HttpRequest, tenant: string | undefined): Promise<HttpResponse> => {
    const [path = "", query = ""] = (request.url ?? "").split("?", 2) as [string, string?]
    const [, id, part] = /\/([A-Za-z0-9_-]{22})(?:\/(results|events))?\/?$/.exec(path) ?? []
    if (id === undefined) return notFound()
    const allowed = part === undefined ? ["GET", "HEAD", "DELETE"] : ["GET", "HEAD"]
    if (!allowed.includes(request.method)) return notAllowed(request.method, allowed)
    const found = await store.find(id)
    if (found === undefined || found.tenant !== tenant) return notFound()
    if (found.state === "forgotten") return problem(410, "EXPIRED", "The results of this job are not kept any longer")
    if (request.method === "DELETE") {
      const refs = (await store.cancel(id, keepMs)) ?? []
      await onCancelled(refs)
      const after = await store.find(id)
      return after === undefined || after.state === "forgotten" ? notFound() : monitor(after, request.headers)
    }
    if (part === "results") return results(store, found, new URLSearchParams(query), request.headers)
    return part === "events" ? events(store, found, request.signal) : monitor(found, request.headers)
  }
  return async (request, tenant) => {
    try {
      const response = await answer(request, tenant)
      return request.method === "HEAD" ? { ...response, stream: undefined } : response
    } catch {
      return problem(503, "STORE_UNAVAILABLE", "The store of jobs cannot be reached: try again", { "retry-after": "1" })
    }
  }
}

/** The monitor of a job as JSON: times as RFC 3339 has them. */
export const bodyOf = (job: JobRecord) => {
  const { id, state, total, succeeded, failed, skipped, createdAt, updatedAt, expiresAt } = job
  return {
    id,
    status: state,
    total,
    completed: succeeded + failed + skipped,
    succeeded,
    failed,
    skipped: skipped === 0 ? undefined : skipped,
    created_at: new Date(createdAt).toISOString(),
    updated_at: new Date(updatedAt).toISOString(),
    expires_at: new Date(expiresAt).toISOString(),
  }
}

/** Whole seconds after which it makes sense to look again: about when it will have ended, and half a minute at most. */
export const retryAfter = (job: JobRecord): number => {
  const { total, succeeded, failed, skipped, createdAt, updatedAt } = job
  const completed = succeeded + failed + skipped
  if (completed === 0) return 1
  const perOperation = (updatedAt - createdAt) / completed
  return Math.min(30, Math.max(1, Math.ceil((perOperation * (total - completed)) / 1000)))
}

const monitor = (job: JobRecord, headers: HttpRequest["headers"]): HttpResponse => {
  const body = JSON.stringify(bodyOf(job))
  const etag = `W/"${job.state}-${job.succeeded}-${job.failed}-${job.skipped}-${job.updatedAt}"`
  const ended = hasEnded(job.state)
  const fields = { etag, "cache-control": "no-cache", ...(!ended && { "retry-after": String(retryAfter(job)) }) }
  const known = headers["if-none-match"]
  if (
    known !== undefined &&
    String(known)
      .split(",")
      .some((tag) => tag.trim() === etag)
  )
    return respond(304, "", fields)
  return respond(ended ? 200 : 202, body, { "content-type": json, ...fields })
}

const results = async (
  store: JobStore,
  job: JobRecord,
  query: URLSearchParams,
  headers: HttpRequest["headers"],
): Promise<HttpResponse> => {
  const status = query.get("status") ?? "all"
  if (status !== "failed" && status !== "all") return invalid(`"status" must be "failed" or "all"`)
  const text = query.get("cursor")
  const cursor = text === null ? Result.succeed(JobPage.start(status === "failed")) : JobPage.decodeCursor(text)
  if (Result.isFailure(cursor)) return invalid(cursor.failure)
  const given = query.get("limit")
  const limit = given === null ? undefined : Number(given)
  if (limit !== undefined && !(/^\d+$/.test(given!) && limit >= 1 && limit <= mostResults)) {
    return invalid(`"limit" must be a whole number from 1 to ${mostResults}`)
  }
  if (/\bapplication\/(x-)?ndjson\b/i.test(String(headers["accept"] ?? ""))) {
    return {
      ...respond(200, "", { "content-type": "application/x-ndjson" }),
      stream: lines(store, job.id, cursor.success, limit),
    }
  }
  const page = await JobPage.read(store, job.id, cursor.success, limit ?? standardResults)
  const next = page.next === undefined ? "" : `,"next_cursor":"${JobPage.encodeCursor(page.next)}"`
  return respond(200, `{"results":[${page.results.join(",")}]${next}}`, { "content-type": json })
}

const lines = async function* (
  store: JobStore,
  id: string,
  from: JobPage.JobCursor,
  limit: number | undefined,
): AsyncGenerator<string> {
  let left = limit ?? Number.POSITIVE_INFINITY
  let cursor: JobPage.JobCursor | undefined = from
  while (cursor !== undefined && left > 0) {
    const page: JobPage.JobPage = await JobPage.read(store, id, cursor, Math.min(left, mostResults))
    // What has not ended yet is not waited for.
    if (page.results.length === 0) return
    left -= page.results.length
    yield `${page.results.join("\n")}\n`
    cursor = page.next
  }
}

const events = (store: JobStore, job: JobRecord, gone: AbortSignal): HttpResponse => ({
  ...respond(200, "", { "content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no" }),
  stream: follow(store, job, gone),
})

// A job that several servers share says nothing by itself: it is looked at.
const follow = async function* (store: JobStore, job: JobRecord, gone: AbortSignal): AsyncGenerator<string> {
  let shown = ""
  let silentMs = 0
  let current: JobRecord = job
  while (!gone.aborted) {
    const body = JSON.stringify(bodyOf(current))
    const ended = hasEnded(current.state)
    if (body !== shown) yield `event: progress\ndata: ${body}\n\n`
    else if (silentMs >= aliveMs) yield ": still there\n\n"
    if (ended) return yield `event: done\ndata: ${body}\n\n`
    silentMs = body === shown && silentMs < aliveMs ? silentMs + lookMs : 0
    shown = body
    await pause(lookMs, gone)
    const found = await store.find(job.id)
    if (found === undefined || found.state === "forgotten") return
    current = found
  }
}

const pause = (milliseconds: number, gone: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      gone.removeEventListener("abort", end)
      resolve()
    }
    const timer = setTimeout(end, milliseconds)
    gone.addEventListener("abort", end)
  })

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
