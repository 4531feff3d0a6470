import { expect } from "vitest"
import { resource } from "../../src/resources/Resource.ts"
import { failure } from "../../src/batch/Failure.ts"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import type { HttpRequest, HttpResponse } from "../../src/http/HttpMessage.ts"
import type { JobOptions } from "../../src/jobs/JobOptions.ts"
import { inProcessQueue } from "../../src/jobs/inProcessQueue.ts"
import { memoryJobStore } from "../../src/jobs/memoryJobStore.ts"
import { pause } from "../../src/jobs/pause.ts"
import { make, send } from "./endpoints.ts"
import { request, stream } from "./request.ts"

/** A new engine in memory. */
export const memoryEngine = () => ({ store: memoryJobStore(), queue: inProcessQueue() })

/** The calls of handlers. */
export interface Calls {
  /** Their inputs in order; of `touch` the ids. */
  readonly inputs: Array<unknown>
}

/** A resource whose `create` fails if `n` is negative, and takes `ms` milliseconds. */
export const things = (calls: Calls) =>
  resource("things", {
    create: {
      run: async (input: unknown, { signal }) => {
        calls.inputs.push(input)
        const { n = 0, ms } = (input ?? {}) as { readonly n?: number; readonly ms?: number }
        if (ms !== undefined) await pause(ms, signal)
        return n < 0 ? failure("CONFLICT", "Negative") : { id: `t_${n}`, n }
      },
    },
    touch: { run: (_: unknown, { id }) => (calls.inputs.push(id), { id }) },
    delete: { run: () => undefined },
  })

/** One result of a job. */
export interface JobResult {
  readonly index: number
  readonly status: string
  readonly id?: string
  readonly error?: { readonly code: string; readonly message: string }
}

/** One page of results. */
export interface Page {
  readonly results: ReadonlyArray<JobResult>
  readonly next_cursor?: string
}

/** Endpoints whose batches may become jobs, and short calls. Requests come from the tenant `a`. */
export const withJobs = (jobs: Partial<JobOptions> = {}, options: BatchOptions<string> = {}) => {
  const calls: Calls = { inputs: [] }
  const engine = jobs.engine ?? memoryEngine()
  const batch = make<string>({ tenant: (raw) => raw, ...options, jobs: { engine, ...jobs } })
  const resource = things(calls)
  const operations = batch.operations(resource, { clientStrategies: ["stop-after"] })
  const bulk = batch.bulk(resource, "create")
  const bulkDelete = batch.bulk(resource, "delete")
  const ask = async (method: string, url: string, given: Partial<HttpRequest> = {}): Promise<HttpResponse> =>
    batch.jobs!.handle({ ...request(stream(), { raw: "a", ...given }), method, url })
  const json = async (method: string, url: string, given: Partial<HttpRequest> = {}) => {
    const answer = await ask(method, url, given)
    return { ...answer, json: answer.body === "" ? undefined : JSON.parse(answer.body) }
  }
  const page = async (location: string, query = ""): Promise<Page> =>
    (await json("GET", `${location}/results?${query}`)).json
  return {
    batch,
    calls,
    engine,
    operations,
    bulk,
    bulkDelete,
    ask,
    json,
    page,
    /** Reads all results, page by page. */
    results: async (location: string, query = "") => {
      const results: Array<JobResult> = []
      let cursor: string | undefined = ""
      while (cursor !== undefined) {
        const { results: some, next_cursor } = await page(location, `${cursor}${query}`)
        results.push(...some)
        cursor = next_cursor === undefined ? undefined : `cursor=${next_cursor}&`
      }
      return results
    },
    /** Sends a batch as a job; to the operations endpoint by default. */
    submit: async (value: unknown, headers: Record<string, string> = {}, endpoint = operations) => {
      const given = { raw: "a", url: "/things/batch", headers: { prefer: "respond-async", ...headers } }
      const answer = await send(endpoint, value, given)
      return { ...answer, location: answer.headers["location"]! }
    },
    /** Sends NDJSON. */
    upload: async (lines: string | Uint8Array, headers: Record<string, string> = {}) => {
      const given = { raw: "a", url: "/things/batch", headers: { "content-type": "application/x-ndjson", ...headers } }
      const { body, ...rest } = await operations.handle(request(stream(lines), given))
      return { ...rest, json: JSON.parse(body), location: rest.headers["location"]! }
    },
    /** Waits until a job has ended, and returns its state. */
    ended: async (location: string) => {
      let answer = await json("GET", location)
      await expect
        .poll(async () => (answer = await json("GET", location)).status, { timeout: 10_000, interval: 10 })
        .toBe(200)
      return answer.json
    },
  }
}

/** `count` creations. */
export const creates = (count: number, data: (index: number) => object = () => ({})) => ({
  operations: Array.from({ length: count }, (_, n) => ({ action: "create", data: { n, ...data(n) } })),
})
