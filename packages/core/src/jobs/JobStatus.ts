/** The state of a job as clients see it. */
import { endedOf, type JobRecord } from "./Job.ts"

/** Encodes the state as JSON. Times are in RFC 3339. */
export const encode = (job: JobRecord): string => {
  const { id, state, total, succeeded, failed, skipped, createdAt, updatedAt, expiresAt, waiting } = job
  return JSON.stringify({
    id,
    status: state,
    total,
    completed: endedOf(job),
    succeeded,
    failed,
    skipped: skipped === 0 ? undefined : skipped,
    waiting: waiting && { for: waiting.for, until: new Date(waiting.until).toISOString() },
    created_at: new Date(createdAt).toISOString(),
    updated_at: new Date(updatedAt).toISOString(),
    expires_at: new Date(expiresAt).toISOString(),
  })
}

/** The number of seconds until the next poll makes sense: the estimated time until the job ends, from 1 to 30. */
export const retryAfter = (job: JobRecord): number => {
  const { total, createdAt, updatedAt } = job
  const completed = endedOf(job)
  if (completed === 0) return 1
  const msPerOperation = (updatedAt - createdAt) / completed
  return Math.min(30, Math.max(1, Math.ceil((msPerOperation * (total - completed)) / 1000)))
}
