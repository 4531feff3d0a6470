/**
 * Imports rows as one job: uploads them as NDJSON, follows the events of the job, and accounts for every row.
 */
import { setTimeout as delay } from "node:timers/promises"

import type { Row } from "./cities.ts"
import type { Refusal, Report } from "./Report.ts"

/** Options of an import by a job. */
export interface JobImportOptions {
  /** The origin of the server that runs now; it changes when the server is replaced. */
  readonly origin: () => string
  /** Called with the number of completed rows. */
  readonly onProgress?: ((completed: number) => void) | undefined
}

interface Monitor {
  readonly status: string
  readonly total: number
  readonly completed: number
  readonly succeeded: number
}

interface Page {
  readonly results: ReadonlyArray<{
    readonly index: number
    readonly error: { readonly code: string; readonly field?: string; readonly message: string }
  }>
  readonly next_cursor?: string
}

/**
 * Imports rows through `POST /api/v1/users/batch` as one job. Each row has an idempotency key, so that it is created once
 * even if the server is killed.
 */
export const importJob = async (
  rows: ReadonlyArray<Row>,
  { origin, onProgress }: JobImportOptions,
): Promise<Report> => {
  const startedAt = performance.now()
  const accepted = await fetch(`${origin()}/api/v1/users/batch`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body: ReadableStream.from(linesOf(rows)),
    duplex: "half",
  } as RequestInit)
  const location = accepted.headers.get("location")
  if (accepted.status !== 202 || location === null) {
    throw new Error(`The server refused the job: ${accepted.status} ${await accepted.text()}`)
  }
  const monitor = await follow(() => origin() + location, onProgress)
  const seconds = (performance.now() - startedAt) / 1000
  const refusals = await refusalsOf(origin() + location)
  return { sent: monitor.total, created: monitor.succeeded, refusals, seconds }
}

async function* linesOf(rows: ReadonlyArray<Row>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder()
  for (let from = 0; from < rows.length; from += 1000) {
    const lines = rows.slice(from, from + 1000).map((data, index) => {
      const operation = { action: "create", data, idempotency_key: `row-${from + index + 1}` }
      return `${JSON.stringify(operation)}\n`
    })
    yield encoder.encode(lines.join(""))
  }
}

// Connects again when the connection breaks, for example because the server is killed: the job outlives it.
const follow = async (url: () => string, onProgress: JobImportOptions["onProgress"]): Promise<Monitor> => {
  while (true) {
    try {
      const { body } = await fetch(`${url()}/events`)
      let text = ""
      for await (const part of body!.pipeThrough(new TextDecoderStream())) {
        const events = (text + part).split("\n\n")
        text = events.pop() ?? ""
        for (const event of events) {
          const [, name, data] = /^event: (\w+)\ndata: (.*)$/s.exec(event) ?? []
          if (data === undefined) continue
          const monitor = JSON.parse(data) as Monitor
          onProgress?.(monitor.completed)
          if (name === "done") return monitor
        }
      }
    } catch {
      await delay(200)
    }
  }
}

const refusalsOf = async (url: string): Promise<ReadonlyArray<Refusal>> => {
  const refusals: Array<Refusal> = []
  let cursor = ""
  while (true) {
    const answer = await fetch(`${url}/results?status=failed&limit=1000${cursor}`)
    const { results, next_cursor } = (await answer.json()) as Page
    for (const { index, error } of results) {
      refusals.push({ row: index + 1, code: error.code, field: error.field ?? "", message: error.message })
    }
    if (next_cursor === undefined) return refusals
    cursor = `&cursor=${next_cursor}`
  }
}
