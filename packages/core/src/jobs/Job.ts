/** A batch that runs after its request was answered: what is known of it, and the chunks that it is cut into. */

/**
 * Where a job stands. `uploading`: its operations are still coming in; nobody sees it, and nothing of it runs. The last
 * four are ends: `partial` means that some operations succeeded and some did not, `failed` that none did.
 */
export type JobState = "uploading" | "queued" | "running" | "succeeded" | "partial" | "failed" | "cancelled"

/** How many operations of a job have ended, and how. */
export interface JobTally {
  readonly succeeded: number
  readonly failed: number
  /** Operations that never began: `SKIPPED`, `CANCELLED`, and their kin. */
  readonly skipped: number
}

/** A job as it is handed in. */
export interface NewJob {
  /** Not to be guessed: 22 characters of base64url, random. */
  readonly id: string
  /** Who handed it in; undefined where callers are not told apart. */
  readonly tenant: string | undefined
  /** The endpoint whose operations it has. */
  readonly endpoint: string
  /** What running it takes beside its operations (its strategy, what its results look like), as the engine wrote it. */
  readonly settings: string
  /** The client's name for the job, hashed in its scope: 43 characters of base64url. A second job of that name is not made. */
  readonly key: string | undefined
  /** Milliseconds that it is kept if it does not end. */
  readonly lifeMs: number
}

/** A slice of a job that one worker runs at a time. Chunks follow each other without gaps. */
export interface NewChunk {
  /** Its place among the chunks of its job, from 0. */
  readonly index: number
  /** Index of its first operation in the job. */
  readonly first: number
  /** How many operations it has: 1 or more. */
  readonly operations: number
  /** Its operations: one JSON text a line, lines parted by LF. */
  readonly payload: string
}

/** What is known of a job once all of its operations are there. */
export interface JobExtent {
  /** Operations. */
  readonly total: number
  readonly chunks: number
  /** How many of its chunks may be in the queue at once. 1: one chunk after the other. */
  readonly window: number
  /** Hash of what was handed in, to be compared where another job has the same `key`; 43 characters of base64url. */
  readonly fingerprint: string
}

/** How much work may be waiting. */
export interface JobLimits {
  /** Operations that have not ended, of all jobs: those of chunks that wait or run. */
  readonly queuedOperations: number
  /** Jobs of one tenant that have not ended; undefined for any number. */
  readonly jobsPerTenant: number | undefined
}

/**
 * What became of handing in a job.
 *
 * - `accepted`: it is queued; these of its chunks are due now.
 * - `exists`: there is a job of the same key already; `isSame` says whether it was handed in with the same fingerprint.
 * - `full`, `tenant-full`: there is no room; nothing of it is kept. `queued` is how many operations are waiting.
 * - `gone`: it is not, or no longer, being uploaded.
 */
export type JobAcceptance =
  | { readonly _tag: "accepted"; readonly due: ReadonlyArray<ChunkRef> }
  | { readonly _tag: "exists"; readonly id: string; readonly isSame: boolean }
  | { readonly _tag: "full"; readonly queued: number }
  | { readonly _tag: "tenant-full" }
  | { readonly _tag: "gone" }

/** Says that a chunk is due. A chunk that is sent anew gets the next `dispatch`. */
export interface ChunkRef {
  readonly job: string
  readonly chunk: number
  /** How often it was sent anew, from 0: two refs that differ in it alone are two messages. */
  readonly dispatch: number
}

/** A hold on a chunk. Whoever starts the chunk after this one ends it. */
export interface ChunkHold {
  readonly job: string
  readonly chunk: number
  /** Rises with every start. */
  readonly epoch: number
}

/** The results of some operations of a chunk that have ended, kept before the chunk has. */
export interface ChunkPart {
  /** Place of its first operation in the chunk, from 0. */
  readonly at: number
  /** Results, one JSON text a line, in order. */
  readonly results: string
  readonly tally: JobTally
}

/**
 * A chunk that was started.
 *
 * **Details** `parts` are what earlier starts have kept, by rising `at`, without gaps from 0. `starts` counts this one, and
 * those before it that ended without a word: since something of the chunk was last kept, without those that postponed it.
 */
export interface StartedChunk extends NewChunk {
  readonly hold: ChunkHold
  readonly starts: number
  readonly parts: ReadonlyArray<ChunkPart>
  readonly job: JobRecord
}

/** Results of a chunk, all of them. */
export interface ChunkOutcome {
  /** Results, one JSON text a line, in order. */
  readonly results: string
  readonly tally: JobTally
  /** Whether chunks that have not begun are not to begin: their operations count as skipped, with this code. */
  readonly halt: string | undefined
}

/** What became of keeping the results of a chunk. */
export type ChunkCommit =
  /** They are kept. These chunks are due next. */
  | { readonly _tag: "kept"; readonly due: ReadonlyArray<ChunkRef>; readonly hasEnded: boolean }
  /** The chunk is held by another, has ended, or its job is gone: nothing was changed. */
  | { readonly _tag: "refused" }

/** A job as its owner sees it: the tally is that of chunks that have ended. Times are milliseconds since 1970. */
export interface JobRecord extends JobTally {
  readonly id: string
  readonly tenant: string | undefined
  readonly endpoint: string
  readonly settings: string
  readonly state: JobState
  readonly total: number
  readonly chunks: number
  /** Whether it is to stop: its running chunks are told, and the others do not begin. */
  readonly isCancelled: boolean
  readonly createdAt: number
  /** Rises with every change that can be seen here. */
  readonly updatedAt: number
  /** When its results are forgotten; before its end, when it is given up. */
  readonly expiresAt: number
}

/** A chunk of which the results are there, or which will never run. */
export interface EndedChunk {
  readonly index: number
  readonly first: number
  readonly operations: number
  /** Results, one JSON text a line; undefined where it never ran. */
  readonly results: string | undefined
  /** Why it never ran, as a failure code: `CANCELLED` or `SKIPPED`. */
  readonly code: string | undefined
}

/** Whether a state is an end. */
export const hasEnded = (state: JobState): boolean =>
  state === "succeeded" || state === "partial" || state === "failed" || state === "cancelled"

/** How a job ends whose operations have ended so. */
export const endOf = ({ succeeded, failed, skipped }: JobTally, isCancelled: boolean): JobState => {
  if (isCancelled) return "cancelled"
  if (failed + skipped === 0) return "succeeded"
  return succeeded === 0 ? "failed" : "partial"
}
