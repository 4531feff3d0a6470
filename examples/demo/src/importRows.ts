/**
 * Imports rows through the bulk endpoint, and accounts for every row.
 */
import type { Row } from "./cities.ts"
import type { Client, Reply } from "./Client.ts"
import type { Refusal, Report } from "./Report.ts"

/** Options of an import by batches. */
export interface ImportOptions {
  /** Rows in one request. Default 500. */
  readonly batchSize?: number | undefined
  /** Requests in flight at once. Default 2. */
  readonly inFlight?: number | undefined
  /** Called after each batch with the number of rows that the server has answered. */
  readonly onProgress?: ((answered: number) => void) | undefined
}

/**
 * Imports rows through `POST /api/v1/users/bulk-create`.
 *
 * Rejects if a response is neither 201 nor 207, or does not account for every row of its batch.
 */
export const importRows = async (
  client: Client,
  rows: Iterable<Row>,
  { batchSize = 500, inFlight = 2, onProgress }: ImportOptions = {},
): Promise<Report> => {
  const refusals: Array<Refusal> = []
  const batches = batchesOf(rows, batchSize)
  let sent = 0
  let created = 0
  const work = async () => {
    // All workers share one iterator, so that each batch is sent once.
    for (const { first, users } of batches) {
      const outcome = readReply(await client.post("/api/v1/users/bulk-create", { users }), users.length)
      created += outcome.created
      for (const { index, ...reason } of outcome.refused) refusals.push({ row: first + index, ...reason })
      sent += users.length
      onProgress?.(sent)
    }
  }
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: inFlight }, work))
  const seconds = (performance.now() - startedAt) / 1000
  return { sent, created, refusals: refusals.sort((a, b) => a.row - b.row), seconds }
}

interface Batch {
  /** Number of the first row, from 1. */
  readonly first: number
  readonly users: ReadonlyArray<Row>
}

function* batchesOf(rows: Iterable<Row>, size: number): Generator<Batch, undefined> {
  let users: Array<Row> = []
  let first = 1
  for (const row of rows) {
    users.push(row)
    if (users.length < size) continue
    yield { first, users }
    first += size
    users = []
  }
  if (users.length > 0) yield { first, users }
}

interface Outcome {
  readonly created: number
  readonly refused: ReadonlyArray<{
    readonly index: number
    readonly code: string
    readonly field: string
    readonly message: string
  }>
}

interface Envelope {
  readonly created?: number
  readonly succeeded?: number
  readonly users?: ReadonlyArray<unknown>
  readonly results?: ReadonlyArray<{
    readonly index: number
    readonly status: string
    readonly error?: { readonly code: string; readonly field?: string; readonly message: string }
  }>
}

const readReply = ({ status, body }: Reply, length: number): Outcome => {
  const { created = 0, succeeded = created, users, results = [] } = body as Envelope
  if (status === 201 && created === length && users?.length === length) return { created, refused: [] }
  const refused = results.flatMap(({ index, status: outcome, error }) =>
    outcome === "success"
      ? []
      : [{ index, code: error?.code ?? outcome, field: error?.field ?? "", message: error?.message ?? "" }],
  )
  if (status === 207 && succeeded === created && succeeded + refused.length === length) return { created, refused }
  throw new Error(`The server answered a batch of ${length} rows with ${status} ${JSON.stringify(body).slice(0, 300)}`)
}
