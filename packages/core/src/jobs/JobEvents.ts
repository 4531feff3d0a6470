/** Server-sent events of a job. */
import { hasEnded, type JobRecord } from "./Job.ts"
import * as JobStatus from "./JobStatus.ts"
import type { JobStore } from "./JobStore.ts"
import { pause } from "./pause.ts"

/** Milliseconds between two reads of the job. */
const pollMs = 250
/** Milliseconds without an event after which a comment is sent, so that proxies keep the connection open. */
const idleMs = 15_000

/**
 * Yields an event `progress` whenever the job has changed, and `done` when it has ended. The job is polled, since another
 * server may run it. Ends when the signal is aborted, or when the job has expired.
 */
export const stream = async function* (store: JobStore, job: JobRecord, signal: AbortSignal): AsyncGenerator<string> {
  let sent = ""
  let silentMs = 0
  let current = job
  while (!signal.aborted) {
    const body = JobStatus.encode(current)
    const isSilent = body === sent && silentMs < idleMs
    if (body !== sent) yield `event: progress\ndata: ${body}\n\n`
    else if (!isSilent) yield ": still there\n\n"
    if (hasEnded(current.state)) return yield `event: done\ndata: ${body}\n\n`
    silentMs = isSilent ? silentMs + pollMs : 0
    sent = body
    await pause(pollMs, signal)
    const found = await store.find(job.id)
    if (found === undefined || found.state === "forgotten") return
    current = found
  }
}
