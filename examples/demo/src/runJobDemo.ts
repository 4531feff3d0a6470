/**
 * The demo as one job: all rows at once, followed to the end, with the server killed half-way if that is asked for.
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

/** What the demo runs with. */
export interface JobDemoOptions {
  /** Rows to import, of which fewer than 100,000 may go in: the list of users ends there. */
  readonly rows: number
  /** Whether the server is killed when a third has ended, and started again. */
  readonly kill: boolean
  readonly print: (line: string) => void
  readonly progress: (total: number) => Progress
}

/** Runs the demo and tells whether everything it reports is so. */
export const runJobDemo = async ({ rows, kill, print, progress }: JobDemoOptions): Promise<boolean> => {
  const directory = await mkdtemp(join(tmpdir(), "multistatus-demo-"))
  // In a file, so that a server that comes after finds what there was.
  const environment = { DATABASE_URL: `sqlite:${join(directory, "demo.db")}`, ASYNC_ABOVE: "1000" }
  let server = await startServer(environment)
  let killing: Promise<void> | undefined
  const killOnce = async () => {
    await server.kill()
    print("The server was killed: another one goes on")
    server = await startServer(environment)
  }
  try {
    const all = [...cities(rows)]
    const report = await watched(all.length, progress, (update) =>
      importJob(all, {
        origin: () => server.origin,
        onProgress: (ended) => {
          update(ended)
          if (kill && ended >= rows / 3) killing ??= killOnce()
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

const watched = async <A>(
  total: number,
  progress: JobDemoOptions["progress"],
  run: (update: (done: number) => void) => Promise<A>,
): Promise<A> => {
  using shown = progress(total)
  return await run(shown.update)
}
