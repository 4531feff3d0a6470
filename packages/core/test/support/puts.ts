import { afterEach } from "vitest"
import { type Action, resource } from "../../src/resources/Resource.ts"
import { failure } from "../../src/batch/Failure.ts"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import type { Endpoint } from "../../src/api/BatchEndpoints.ts"
import { createBatch } from "../../src/api/createBatch.ts"
import type { HttpRequest } from "../../src/http/HttpMessage.ts"
import { FakeDatabase, type Handle, Transient } from "./FakeDatabase.ts"
import { jsonRequest } from "./request.ts"

/** What a handler is to do with a key. */
export interface Put {
  readonly key: string
  /** After the key was added: `fail` answers a failure, `throw` dies, `hang` never answers, `late` answers after being told to stop. */
  readonly end?: "fail" | "throw" | "hang" | "late" | "transient"
}

export interface Given extends BatchOptions {
  readonly commits?: FakeDatabase["commits"]
}

const notFound = (key: string) => failure("NOT_FOUND", `Key ${key} not found`)

const open: Array<{ readonly close: () => Promise<void> }> = []

afterEach(async () => {
  await Promise.all(open.splice(0).map(({ close }) => close()))
})

/** An endpoint whose operations add keys to a database: `put` one by one, `puts` many at once too. */
export const putEndpoint = ({ commits = [], ...options }: Given = {}) => {
  const database = new FakeDatabase()
  database.commits = commits
  const calls: Array<string> = []
  const heard: Array<string> = []
  const unexpected: Array<unknown> = []
  const put = async ({ key, end }: Put, tx: unknown, signal: AbortSignal): Promise<unknown> => {
    calls.push(key)
    await (tx as Handle).add(key)
    if (end === "fail") return notFound(key)
    if (end === "throw") throw new Error(`secret ${key}`)
    if (end === "transient") throw new Transient("rivals")
    if (end === "hang" || end === "late") {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()))
      heard.push(`${key}: ${(signal.reason as DOMException).name}`)
      if (end === "hang") await new Promise(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 10))
      await (tx as Handle).add(`${key} late`).catch((error: Error) => heard.push(error.message))
    }
    return { id: key }
  }
  const one: Action<Put>["run"] = (input, { signal, tx }) => put(input, tx, signal)
  const things = resource("things", {
    put: { identified: false, run: one },
    puts: {
      identified: false,
      run: one,
      // Answers for each item, unless one of them throws.
      runMany: async (
        items: ReadonlyArray<{ readonly input: Put }>,
        { signal, tx }: { signal: AbortSignal; tx: unknown },
      ) => {
        const answers: Array<unknown> = []
        calls.push(`many ${items.length}`)
        for (const { input } of items) {
          // What answers a failure for an item has left nothing of it.
          if (input.end === "fail") answers.push(notFound(input.key))
          else answers.push(await put(input, tx, signal))
        }
        return answers
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
      run: one,
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
  return { batch, database, calls, heard, unexpected, endpoint: batch.operations(things), things }
}

/** Operations that put keys. */
export const puts = (...items: ReadonlyArray<Put>) => items.map((data) => ({ action: "put", data }))

export const ask = async (endpoint: Endpoint, value: unknown, given: Partial<HttpRequest> = {}) => {
  const { status, headers, body } = await endpoint.handle(jsonRequest(value, given))
  return { status, type: headers["content-type"], json: JSON.parse(body) as unknown }
}

/** What an atomic batch answers whose operation at `index` failed. */
export const undone = (index: number, code: string, message: string) => ({
  status: "failed",
  error: `Operation ${index + 1} failed: ${message}`,
  operations_applied: 0,
  failed_index: index,
  code,
})

/** Each result of a batch: its outcome, or the code of its error. */
export const codes = (json: unknown): ReadonlyArray<string> =>
  (json as { results: ReadonlyArray<{ status: string; error?: { code: string } }> }).results.map(({ status, error }) =>
    error === undefined ? status : `${status} ${error.code}`,
  )

/** Resolves when a condition holds. */
export const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}
