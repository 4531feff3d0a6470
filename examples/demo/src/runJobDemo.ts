/**
 * The demo by a job: imports all rows as one job, follows it to its end, and kills the server on the way if asked to.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { cities } from "./cities.ts"
import { makeClient } from "./Client.ts"
import { disagreements } from "./disagreements.ts"
import { importJob } from "./importJob.ts"
import type { Progress } from "./progressTo.ts"
import { count, linesOf } from "./Report.ts"
import { startServer } from "./startServer.ts"

/** Options of the demo by a job. */
export interface JobDemoOptions {
  /** Rows to import. At most 100,000 may be created, because the list of users ends there. */
  readonly rows: number
  /** Whether to kill the server when a third of the rows is done, and start another one. */
  readonly kill: boolean
  readonly print: (line: string) => void
  readonly progress: (total: number) => Progress
}

/** Runs the demo; resolves with whether the database agrees with the report. */
export const runJobDemo = async ({ rows, kill, print, progress }: JobDemoOptions): Promise<boolean> => {
  const directory = await mkdtemp(join(tmpdir(), "multistatus-demo-"))
  // In a file, so that the next server finds the job.
  const environment = { DATABASE_URL: `sqlite:${join(directory, "demo.db")}`, ASYNC_ABOVE: "1000" }
  let server = await startServer(environment)
  let killing: Promise<void> | undefined
  const killOnce = async () => {
    await server.kill()
    print("The server was killed; another one continues")
    server = await startServer(environment)
  }
  try {
    const all = [...cities(rows)]
    const report = await withProgress(all.length, progress, (update) =>
      importJob(all, {
        origin: () => server.origin,
        onProgress: (completed) => {
          update(completed)
          if (kill && completed >= rows / 3) killing ??= killOnce()
        },
      }),
    )
    await killing
    for (const line of linesOf(report)) print(line)
    using client = makeClient(server.origin)
    const findings = await disagreements(client, report)
    if (findings.length === 0) print(`The database holds ${count(report.created)} users: all counts agree`)
    for (const finding of findings) print(`DISAGREES: ${finding}`)
    return findings.length === 0
  } finally {
    await server[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  }
}

const withProgress = async <A>(
  total: number,
  progress: JobDemoOptions["progress"],
  run: (update: (done: number) => void) => Promise<A>,
): Promise<A> => {
  using shown = progress(total)
  return await run(shown.update)
}
