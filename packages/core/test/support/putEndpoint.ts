import { afterEach } from "vitest"
import type { Action } from "../../src/resources/Action.ts"
import { resource } from "../../src/resources/Resource.ts"
import { failure } from "../../src/batch/Failure.ts"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import type { Endpoint } from "../../src/api/BatchEndpoints.ts"
import { createBatch } from "../../src/api/createBatch.ts"
import type { HttpRequest } from "../../src/http/HttpMessage.ts"
import { FakeDatabase, type Handle, Transient } from "./FakeDatabase.ts"
import { jsonRequest } from "./request.ts"

/** The input of an operation that adds a key. */
export interface Put {
  readonly key: string
  /**
   * What the handler does after it has added the key: `fail` returns a failure, `throw` throws a defect, `transient` a
   * transient error, `hang` never returns, and `late` returns some time after it was aborted. Default: it succeeds.
   */
  readonly end?: "fail" | "throw" | "hang" | "late" | "transient"
}

/** Options of an endpoint, and how its commits end. */
export interface PutOptions extends BatchOptions {
  readonly commits?: FakeDatabase["commits"]
}

const notFound = (key: string) => failure("NOT_FOUND", `Key ${key} not found`)

const open: Array<{ readonly close: () => Promise<void> }> = []

afterEach(async () => {
  await Promise.all(open.splice(0).map(({ close }) => close()))
})

/**
 * Creates an endpoint whose operations add keys to a database: the action `put` one by one, `puts` also many at once, and
 * `refuse` rejects its input. `calls` records the handler calls, `abortLog` what aborted handlers observe, `unexpected` the
 * reported defects.
 */
export const putEndpoint = ({ commits = [], ...options }: PutOptions = {}) => {
  const database = new FakeDatabase()
  database.commits = commits
  const calls: Array<string> = []
  const abortLog: Array<string> = []
  const unexpected: Array<unknown> = []
  const put = async ({ key, end }: Put, tx: unknown, signal: AbortSignal): Promise<unknown> => {
    calls.push(key)
    await (tx as Handle).add(key)
    if (end === "fail") return notFound(key)
    if (end === "throw") throw new Error(`secret ${key}`)
    if (end === "transient") throw new Transient("rivals")
    if (end === "hang" || end === "late") {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()))
      abortLog.push(`${key}: ${(signal.reason as DOMException).name}`)
      if (end === "hang") await new Promise(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 10))
      await (tx as Handle).add(`${key} late`).catch((error: Error) => abortLog.push(error.message))
    }
    return { id: key }
  }
  const runOne: Action<Put>["run"] = (input, { signal, tx }) => put(input, tx, signal)
  const things = resource("things", {
    put: { identified: false, run: runOne },
    puts: {
      identified: false,
      run: runOne,
      // Returns a result per item, unless an item throws.
      runMany: async (
        items: ReadonlyArray<{ readonly input: Put }>,
        { signal, tx }: { signal: AbortSignal; tx: unknown },
      ) => {
        const outputs: Array<unknown> = []
        calls.push(`many ${items.length}`)
        for (const { input } of items) {
          // An item with a failure must have changed nothing.
          if (input.end === "fail") outputs.push(notFound(input.key))
          else outputs.push(await put(input, tx, signal))
        }
        return outputs
      },
    },
    refuse: {
      identified: false,
      input: {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: () => ({ issues: [{ message: "Refused", path: ["key"] }] }),
        },
      },
      run: runOne,
    },
  } as Readonly<Record<string, Action<unknown>>>)
  const batch = createBatch({
    unitOfWork: database,
    clientStrategies: ["atomic"],
    concurrency: "sequential",
    onUnexpected: (error) => unexpected.push(error),
    ...options,
  })
  open.push(batch)
  return { batch, database, calls, abortLog, unexpected, endpoint: batch.operations(things), things }
}

/** Creates operations of the action `put`. */
export const puts = (...items: ReadonlyArray<Put>) => items.map((data) => ({ action: "put", data }))

/** Sends a batch and parses the response. */
export const sendBatch = async (endpoint: Endpoint, value: unknown, changes: Partial<HttpRequest> = {}) => {
  const { status, headers, body } = await endpoint.handle(jsonRequest(value, changes))
  return { status, type: headers["content-type"], json: JSON.parse(body) as unknown }
}

/** The body of an atomic batch that failed because of the operation at `index`. */
export const atomicFailure = (index: number, code: string, message: string) => ({
  status: "failed",
  error: `Operation ${index + 1} failed: ${message}`,
  operations_applied: 0,
  failed_index: index,
  code,
})

/** Returns the status of each result, and the code of its error if it has one. */
export const codes = (json: unknown): ReadonlyArray<string> =>
  (json as { results: ReadonlyArray<{ status: string; error?: { code: string } }> }).results.map(({ status, error }) =>
    error === undefined ? status : `${status} ${error.code}`,
  )

/** Resolves when a condition holds. */
export const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}
