import { expect } from "vitest"
import { resource } from "../../src/resources/Resource.ts"
import { failure } from "../../src/batch/Failure.ts"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import type { HttpRequest, HttpResponse } from "../../src/http/HttpMessage.ts"
import type { JobOptions } from "../../src/jobs/JobOptions.ts"
import { inProcessQueue } from "../../src/jobs/inProcessQueue.ts"
import { memoryJobStore } from "../../src/jobs/memoryJobStore.ts"
import { make, send } from "./endpoints.ts"
import { request, stream } from "./request.ts"

/** An engine in memory. */
export const memoryEngine = () => ({ store: memoryJobStore(), queue: inProcessQueue() })

/** What was done, in the order in which it was. */
export interface Done {
  readonly inputs: Array<unknown>
  /** Handlers that run at once, at most. */
  most: number
}

/** Things that are done, fail where their input is negative, and take as long as `ms` says. */
export const things = (done: Done) => {
  let running = 0
  return resource("things", {
    create: {
      run: async (input: unknown, { signal }) => {
        done.inputs.push(input)
        done.most = Math.max(done.most, ++running)
        const { n = 0, ms } = (input ?? {}) as { readonly n?: number; readonly ms?: number }
        if (ms !== undefined) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, ms)
            signal.addEventListener("abort", () => (clearTimeout(timer), resolve()))
          })
        }
        running--
        return n < 0 ? failure("CONFLICT", "Negative") : { id: `t_${n}`, n }
      },
    },
    touch: { run: (_: unknown, { id }) => (done.inputs.push(id), { id }) },
  })
}

/** Endpoints whose batches may become jobs. */
export const withJobs = (jobs: Partial<JobOptions> = {}, options: BatchOptions<string> = {}) => {
  const done: Done = { inputs: [], most: 0 }
  const engine = jobs.engine ?? memoryEngine()
  const batch = make<string>({ tenant: (native) => native, ...options, jobs: { engine, ...jobs } })
  const resource = things(done)
  const operations = batch.operations(resource, { clientStrategies: ["stop-after"] })
  const bulk = batch.bulk(resource, "create")
  const ask = async (method: string, url: string, given: Partial<HttpRequest> = {}): Promise<HttpResponse> =>
    batch.jobs!.handle({ ...request(stream(), { raw: "a", ...given }), method, url })
  const json = async (method: string, url: string, given: Partial<HttpRequest> = {}) => {
    const answer = await ask(method, url, given)
    return { ...answer, json: answer.body === "" ? undefined : JSON.parse(answer.body) }
  }
  return {
    batch,
    done,
    engine,
    operations,
    bulk,
    ask,
    json,
    submit: (value: unknown, headers: Record<string, string> = {}, endpoint = operations) =>
      send(endpoint, value, { raw: "a", url: "/things/batch", headers: { prefer: "respond-async", ...headers } }),
    upload: async (lines: string, headers: Record<string, string> = {}) => {
      const head = { "content-type": "application/x-ndjson", ...headers }
      const given = { raw: "a", url: "/things/batch", headers: head }
      const { body, ...rest } = await operations.handle(request(stream(lines), given))
      return { ...rest, json: JSON.parse(body) }
    },
    ended: async (location: string) => {
      let answer = await json("GET", location)
      await expect
        .poll(async () => (answer = await json("GET", location)).status, { timeout: 10_000, interval: 10 })
        .toBe(200)
      return answer.json
    },
  }
}

/** So many creations. */
export const creates = (count: number, more: (index: number) => object = () => ({})) => ({
  operations: Array.from({ length: count }, (_, n) => ({ action: "create", data: { n, ...more(n) } })),
})
