/** Rows of the job tables, and their conversion to the types of the port. */
import type { ChunkRef, EndedChunk, JobRecord, JobState } from "@multistatus/core/store"

/** @internal */
export interface JobRow {
  readonly id: string
  readonly tenant: string | null
  readonly endpoint: string
  readonly settings: string
  readonly wanted_key: string | null
  readonly fingerprint: string | null
  readonly state: JobState | "forgotten"
  readonly total: number
  readonly chunks: number
  readonly span: number
  readonly sent: number
  readonly succeeded: number
  readonly failed: number
  readonly skipped: number
  readonly is_cancelled: number
  readonly created_at: number | string
  readonly updated_at: number | string
  readonly expires_at: number | string
}

/** A job, and the time of the database in milliseconds since 1970. @internal */
export interface TimedJob extends JobRow {
  readonly now: number
}

/** @internal */
export interface ChunkRow {
  readonly idx: number
  readonly first: number
  readonly operations: number
  readonly payload: string
  readonly state: "waiting" | "running" | "done" | "halted"
  readonly epoch: number
  readonly starts: number
  readonly dispatch: number
  readonly results: string | null
  readonly outcomes: string | null
  readonly code: string | null
}

/** @internal */
export type DueChunk = Pick<ChunkRow, "idx" | "dispatch">

/** Whether a job was accepted and has not ended. @internal */
export const isOpen = ({ state }: Pick<JobRow, "state">): boolean => state === "queued" || state === "running"

/** Whether a job was accepted. @internal */
export const isAccepted = ({ fingerprint }: Pick<JobRow, "fingerprint">): boolean => fingerprint !== null

/** Whether the time of a job is over. @internal */
export const isExpired = ({ expires_at, now }: Pick<TimedJob, "expires_at" | "now">): boolean =>
  Number(expires_at) <= now

/** The time of the next change of a job. Two changes never have the same time. @internal */
export const nextUpdate = ({ updated_at, now }: Pick<TimedJob, "updated_at" | "now">): number =>
  Math.max(now, Number(updated_at) + 1)

/** @internal */
export const toRecord = (row: JobRow): JobRecord => ({
  id: row.id,
  tenant: row.tenant ?? undefined,
  endpoint: row.endpoint,
  settings: row.settings,
  state: row.state as JobState,
  succeeded: row.succeeded,
  failed: row.failed,
  skipped: row.skipped,
  total: row.total,
  chunks: row.chunks,
  isCancelled: row.is_cancelled === 1,
  createdAt: Number(row.created_at),
  updatedAt: Number(row.updated_at),
  expiresAt: Number(row.expires_at),
})

/** @internal */
export const toEnded = ({ idx, first, operations, results, outcomes, code }: ChunkRow): EndedChunk => ({
  index: idx,
  first,
  operations,
  results: results ?? undefined,
  outcomes: outcomes ?? undefined,
  code: code ?? undefined,
})

/** @internal */
export const toRef =
  (job: string) =>
  ({ idx, dispatch }: DueChunk): ChunkRef => ({ job, chunk: idx, dispatch })
