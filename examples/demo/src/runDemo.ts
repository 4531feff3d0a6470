/**
 * The demo by batches: imports the rows, checks the database, and compares the time with single requests.
 */
import { cities, type Row } from "./cities.ts"
import { type Client, makeClient } from "./Client.ts"
import { disagreements } from "./disagreements.ts"
import { importRows } from "./importRows.ts"
import type { Progress } from "./progressTo.ts"
import { count, linesOf, type Report } from "./Report.ts"
import type { RunningServer } from "./startServer.ts"

/** Options of the demo by batches. */
export interface DemoOptions {
  /** Starts an empty server. Called once for each part of the demo. */
  readonly start: () => Promise<RunningServer>
  /** Rows to import. At most 100,000 may be created, because the list of users ends there. */
  readonly rows: number
  /** Rows to compare with single requests. */
  readonly compared: number
  readonly print: (line: string) => void
  readonly progress: (total: number) => Progress
}

/** Runs the demo; resolves with whether the database agrees with the report. */
export const runDemo = async (options: DemoOptions): Promise<boolean> => {
  const agrees = await runImport(options)
  await compare(options)
  return agrees
}

const runImport = async ({ start, rows, print, progress }: DemoOptions): Promise<boolean> => {
  await using server = await start()
  using client = makeClient(server.origin)
  const report = await importWith(client, [...cities(rows)], progress)
  for (const line of linesOf(report)) print(line)
  const findings = await disagreements(client, report)
  if (findings.length === 0) print(`The database holds ${count(report.created)} users: all counts agree`)
  for (const finding of findings) print(`DISAGREES: ${finding}`)
  return findings.length === 0
}

const importWith = async (
  client: Client,
  rows: ReadonlyArray<Row>,
  progress: DemoOptions["progress"],
): Promise<Report> => {
  using shown = progress(rows.length)
  return await importRows(client, rows, { onProgress: shown.update })
}

// Each on a fresh server, so that neither finds compiled code.
const compare = async ({ start, compared, print }: DemoOptions): Promise<void> => {
  const rows = [...cities(compared)]
  const singles = await timed(start, (client) => sendSingly(client, rows))
  const batch = await timed(start, (client) => importRows(client, rows, { batchSize: compared, inFlight: 1 }))
  print(
    `The first ${count(compared)} rows on fresh servers: ${(singles * 1000).toFixed(0)} ms as single requests, ` +
      `${(batch * 1000).toFixed(0)} ms as one batch, ${(singles / batch).toFixed(1)} times as fast`,
  )
}

const timed = async (start: DemoOptions["start"], run: (client: Client) => Promise<unknown>): Promise<number> => {
  await using server = await start()
  using client = makeClient(server.origin)
  await client.get("/health")
  const startedAt = performance.now()
  await run(client)
  return (performance.now() - startedAt) / 1000
}

const sendSingly = async (client: Client, rows: ReadonlyArray<Row>): Promise<void> => {
  for (const row of rows) {
    const { status } = await client.post("/api/v1/users", row)
    if (status !== 201 && status !== 409 && status !== 422)
      throw new Error(`The server answered a single row with ${status}`)
  }
}
