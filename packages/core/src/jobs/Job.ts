/** The data of a job: a batch that runs after its request was answered, cut into chunks. */

/**
 * State of a job. An `uploading` job still receives operations: nobody sees it, and nothing of it runs. The last four are
 * final: `partial` means that some operations succeeded and some did not, `failed` that none succeeded.
 */
export type JobState = "uploading" | "queued" | "running" | "succeeded" | "partial" | "failed" | "cancelled"

/** Number of operations by outcome. */
export interface JobTally {
  readonly succeeded: number
  readonly failed: number
  /** Operations that never started. */
  readonly skipped: number
}

/** A job that is submitted. */
export interface NewJob {
  /** A random id that cannot be guessed: 22 characters of base64url. */
  readonly id: string
  /** The tenant that submitted it; undefined if the application has no tenants. */
  readonly tenant: string | undefined
  /** Name of the endpoint that runs its operations. */
  readonly endpoint: string
  /** How it runs: its strategy and the form of its results, as the engine wrote them. Opaque to stores. */
  readonly settings: string
  /** Hash of the client's idempotency key in its scope: 43 characters of base64url. No second job is made for the same key. */
  readonly key: string | undefined
  /** Time until a job that does not end is dropped, in milliseconds. */
  readonly lifeMs: number
}

/** The part of a job that one worker runs at a time. The chunks of a job follow each other without gaps. */
export interface NewChunk {
  /** Position among the chunks of the job, from 0. */
  readonly index: number
  /** Index of its first operation in the job. */
  readonly first: number
  /** Number of its operations, 1 or more. */
  readonly operations: number
  /** Its operations, one line each, separated by LF. Opaque to stores. */
  readonly payload: string
}

/** The properties of a job that are known once it has all of its operations. */
export interface JobExtent {
  /** Number of operations. */
  readonly total: number
  /** Number of chunks. */
  readonly chunks: number
  /** Maximum number of its chunks in the queue. 1 runs one chunk after the other. */
  readonly window: number
  /** Hash of the operations and settings, to compare two jobs with the same `key`: 43 characters of base64url. */
  readonly fingerprint: string
}

/** Limits on unfinished work. */
export interface JobLimits {
  /** Maximum number of operations in chunks that have not ended, of all jobs. */
  readonly queuedOperations: number
  /** Maximum number of unfinished jobs of one tenant; undefined for no limit. */
  readonly jobsPerTenant: number | undefined
}

/**
 * Outcome of submitting a job.
 *
 * - `accepted`: the job is queued. `due` are the chunks to enqueue now.
 * - `exists`: there is a job with the same key. `isSame` tells whether it has the same fingerprint.
 * - `full`, `tenant-full`: a limit is reached, and nothing of the job is kept. `queued` is the number of unfinished operations.
 * - `gone`: the upload does not exist, or no longer.
 */
export type JobAcceptance =
  | { readonly _tag: "accepted"; readonly due: ReadonlyArray<ChunkRef> }
  | { readonly _tag: "exists"; readonly id: string; readonly isSame: boolean }
  | { readonly _tag: "full"; readonly queued: number }
  | { readonly _tag: "tenant-full" }
  | { readonly _tag: "gone" }

/** The message that a chunk is due. */
export interface ChunkRef {
  readonly job: string
  readonly chunk: number
  /** How often the chunk was sent again, from 0. Refs with different dispatches are different messages. */
  readonly dispatch: number
}

/** A chunk that is due and waits, of a tenant. */
export interface DueChunk {
  readonly tenant: string | undefined
  readonly job: string
  readonly chunk: number
}

/** A worker's hold on a chunk. It ends when the chunk is started again. */
export interface ChunkHold {
  readonly job: string
  readonly chunk: number
  /** Fencing token: it rises with every start of the chunk. */
  readonly epoch: number
}

/** Results of consecutive operations. */
export interface ChunkResults {
  /** The results in order, one line each, separated by LF. Opaque to stores. */
  readonly results: string
  /** The outcome of each result in order, one character each: `s` succeeded, `f` failed, `-` skipped. */
  readonly outcomes: string
}

/** Results that a worker keeps before its chunk ends. */
export interface ChunkPart extends ChunkResults {
  /** Position of its first operation in the chunk, from 0. */
  readonly at: number
}

/** A chunk that a worker has started. */
export interface StartedChunk extends NewChunk {
  readonly hold: ChunkHold
  /**
   * How often the chunk was started, this time included, counted from the start that last kept results of it. Starts that
   * ended with `postpone` do not count.
   */
  readonly starts: number
  /** The results that earlier starts have kept, in order and without gaps. */
  readonly parts: ReadonlyArray<ChunkPart>
  readonly job: JobRecord
}

/** All results of a chunk. */
export interface ChunkOutcome extends ChunkResults {
  /** If defined, chunks that have not started never start: their operations are skipped, with this failure code. */
  readonly halt: string | undefined
}

/** Outcome of committing the results of a chunk. */
export type ChunkCommit =
  /** The results are stored. `due` are the chunks to enqueue now; `hasEnded` tells whether the job has ended. */
  | { readonly _tag: "kept"; readonly due: ReadonlyArray<ChunkRef>; readonly hasEnded: boolean }
  /** Nothing has changed: the hold is over, or the job is gone. */
  | { readonly _tag: "refused" }

/** What a job waits for while none of its chunks runs. */
export interface JobWait {
  readonly for: "quota"
  /** When it continues, in milliseconds since 1970. */
  readonly until: number
}

/** A job as its owner sees it. The tally counts the operations of ended chunks. Times are milliseconds since 1970. */
export interface JobRecord extends JobTally {
  readonly id: string
  readonly tenant: string | undefined
  readonly endpoint: string
  readonly settings: string
  readonly state: JobState
  /** Number of operations. */
  readonly total: number
  /** Number of chunks. */
  readonly chunks: number
  /** Whether it was cancelled. Its running chunks are aborted, and the others do not start. */
  readonly isCancelled: boolean
  readonly createdAt: number
  /** Rises with every change of the record. */
  readonly updatedAt: number
  /** What it waits for; undefined if it does not wait. */
  readonly waiting?: JobWait | undefined
  /** When its results are deleted, or, before it has ended, when it is dropped. */
  readonly expiresAt: number
}

/** A chunk that has ended. */
export interface EndedChunk {
  readonly index: number
  readonly first: number
  readonly operations: number
  /** As `ChunkResults` has them; undefined if the chunk never ran. */
  readonly results: string | undefined
  readonly outcomes: string | undefined
  /** If the chunk never ran, the failure code of its operations: `CANCELLED` or `SKIPPED`. */
  readonly code: string | undefined
}

/** Counts outcomes by their characters. */
export const tallyOf = (outcomes: string): JobTally => {
  let succeeded = 0
  let failed = 0
  for (const outcome of outcomes) {
    if (outcome === "s") succeeded++
    else if (outcome === "f") failed++
  }
  return { succeeded, failed, skipped: outcomes.length - succeeded - failed }
}

/** The number of operations in a tally. */
export const endedOf = ({ succeeded, failed, skipped }: JobTally): number => succeeded + failed + skipped

/** Adds two tallies. */
export const sumOf = (left: JobTally, right: JobTally): JobTally => ({
  succeeded: left.succeeded + right.succeeded,
  failed: left.failed + right.failed,
  skipped: left.skipped + right.skipped,
})

/** Whether a state is final. */
export const hasEnded = (state: JobState): boolean =>
  state === "succeeded" || state === "partial" || state === "failed" || state === "cancelled"

/** The final state of a job, given the outcomes of its operations. */
export const finalState = ({ succeeded, failed, skipped }: JobTally, isCancelled: boolean): JobState => {
  if (isCancelled) return "cancelled"
  if (failed + skipped === 0) return "succeeded"
  return succeeded === 0 ? "failed" : "partial"
}
