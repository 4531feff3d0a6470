/**
 * The demo itself: imports, looks whether the database agrees, and compares with single requests.
 */
import { cities, type Row } from "./cities.ts"
import { type Client, makeClient } from "./Client.ts"
import { disagreements } from "./disagreements.ts"
import { importRows } from "./importRows.ts"
import type { Progress } from "./progressTo.ts"
import { count, linesOf, type Report } from "./Report.ts"
import type { RunningServer } from "./startServer.ts"

/** What the demo runs with. */
export interface DemoOptions {
  /** Starts an empty server; called once for each part of the demo. */
  readonly start: () => Promise<RunningServer>
  /** Rows to import, of which fewer than 100,000 may go in: the list of users ends there. */
  readonly rows: number
  /** Rows of the comparison. */
  readonly compared: number
  readonly print: (line: string) => void
  readonly progress: (total: number) => Progress
}

/** Runs the demo and tells whether everything it reports is so. */
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

// Both on fresh servers, so that neither finds the code warm.
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
  const begun = performance.now()
  await run(client)
  return (performance.now() - begun) / 1000
}

const sendSingly = async (client: Client, rows: ReadonlyArray<Row>): Promise<void> => {
  for (const row of rows) {
    const { status } = await client.post("/api/v1/users", row)
    if (status !== 201 && status !== 409 && status !== 422) throw new Error(`A single row was answered ${status}`)
  }
}
