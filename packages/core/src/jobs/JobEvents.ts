/** Server-sent events of a job. */
import { hasEnded, type JobRecord } from "./Job.ts"
import * as JobStatus from "./JobStatus.ts"
import type { JobLooks } from "./JobLooks.ts"
import { pause } from "./pause.ts"

/** Milliseconds between two reads of the job. */
const pollMs = 250
/** Milliseconds without an event after which a comment is sent, so that proxies keep the connection open. */
const idleMs = 15_000

/** Options of a stream. */
export interface JobEventsOptions {
  readonly looks: JobLooks
  /** Ends the stream. */
  readonly signal: AbortSignal
}

/**
 * Yields an event `progress` whenever the job has changed, and `done` when it has ended. The job is polled, since another
 * server may run it; the streams of one job share its reads. Ends when the signal is aborted, or when the job has expired.
 */
export const stream = async function* (job: JobRecord, { looks, signal }: JobEventsOptions): AsyncGenerator<string> {
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
    if (signal.aborted) return
    const found = await looks.find(job.id, pollMs)
    if (found === undefined || found.state === "forgotten") return
    // A read that was shared may be older than the record that the stream began with.
    if (found.updatedAt >= current.updatedAt) current = found
  }
}
