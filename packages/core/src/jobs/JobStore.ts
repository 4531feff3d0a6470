/**
 * Keeps jobs: their operations, how far they are, their results. The store is the truth; a queue only says that a chunk
 * is due, and may say so twice, late, or not at all.
 *
 * To add a store, implement `JobStore` and run `JobStoreContract` against it.
 */
import type {
  ChunkCommit,
  ChunkHold,
  ChunkOutcome,
  ChunkPart,
  ChunkRef,
  EndedChunk,
  JobAcceptance,
  JobExtent,
  JobLimits,
  JobRecord,
  NewChunk,
  NewJob,
  StartedChunk,
} from "./Job.ts"

/** How a store takes part in a transaction. */
export interface JobTransaction {
  /**
   * The client library's open transaction: the call takes part in it instead of making its own. Only where `isTransactional`.
   */
  readonly transaction?: unknown
  /**
   * Called inside of the transaction that the store makes, before it commits, with the refs that are due; if it rejects,
   * nothing of the call is kept. Only where `isTransactional`; elsewhere it is not called.
   */
  readonly alongside?: ((transaction: unknown, due: ReadonlyArray<ChunkRef>) => Promise<void>) | undefined
}

/** What a job's record is after its results were forgotten. */
export interface ForgottenJob {
  readonly state: "forgotten"
  readonly id: string
  readonly tenant: string | undefined
}

/** Which ended chunks are wanted. */
export interface ChunksQuery {
  /** Index of the first chunk that is wanted. */
  readonly from: number
  /** How many chunks at most. */
  readonly limit: number
  /** Whether only chunks are wanted that hold operations that did not succeed. */
  readonly onlyFailed: boolean
}

/** Ended chunks in order. */
export interface EndedChunks {
  readonly chunks: ReadonlyArray<EndedChunk>
  /** Index of the first chunk after those that were looked at; looking stops before the first chunk that has not ended. */
  readonly next: number
  /** Whether there are no chunks from `next` on, ended or not. */
  readonly isLast: boolean
}

/**
 * A store of jobs.
 *
 * **Details** Time is the store's own, the same for all of its clients; `now` (milliseconds since 1970) stands in for it
 * in tests. Each call is one atomic step: all of it is kept or nothing. A call that is repeated because its answer was lost
 * does no harm: it answers as before, or that there is nothing to do. It rejects where the store does not answer.
 *
 * A job is made by `submit` whole, or by `open`, then `append` (chunk by chunk, in order), then `close`. It counts against
 * `JobLimits`, and is seen by `find`, from when it is accepted. A chunk is waiting, running or ended; `start` makes a
 * waiting or running chunk a running one under the next epoch; every write of a worker names its hold, and is refused when
 * the hold is over: what a worker that was thought dead does afterwards is never seen. Chunks are due in order, `window`
 * of them at first, then one for every chunk that ends. The last chunk to end ends the job. A chunk of which something was
 * kept has begun, also while it waits: only a worker ends it, since only a worker can put its results together.
 */
export interface JobStore {
  /** Whether calls take part in transactions of a database. */
  readonly isTransactional: boolean
  /** Hands in a job with all of its chunks. */
  readonly submit: (
    job: NewJob,
    extent: JobExtent,
    chunks: ReadonlyArray<NewChunk>,
    limits: JobLimits,
    options?: JobTransaction,
    now?: number,
  ) => Promise<JobAcceptance>
  /** Begins to upload a job. */
  readonly open: (job: NewJob, now?: number) => Promise<void>
  /** Adds chunks to a job that is being uploaded; whether it still is. Chunks that it has already are passed over. */
  readonly append: (id: string, chunks: ReadonlyArray<NewChunk>, now?: number) => Promise<boolean>
  /** Ends uploading: the job is accepted, or nothing of it is kept. */
  readonly close: (
    id: string,
    extent: JobExtent,
    limits: JobLimits,
    options?: JobTransaction,
    now?: number,
  ) => Promise<JobAcceptance>
  /** Drops a job that is being uploaded. */
  readonly discard: (id: string) => Promise<void>
  /**
   * Takes hold of a chunk; undefined where it has ended, or its job has, or is not there. One that runs is given to the
   * dispatch that it was started by, which its queue delivers again when its worker has died, and to the one by which
   * `overdue` sent it anew; to no other, of which many may be left from when it waited. Without a `dispatch`, to whoever
   * asks. The first start makes the job `running`.
   */
  readonly start: (
    ref: Pick<ChunkRef, "job" | "chunk"> & Partial<Pick<ChunkRef, "dispatch">>,
    now?: number,
  ) => Promise<StartedChunk | undefined>
  /** Keeps results of a chunk that runs, and says that it is alive; whether the hold is still good. A part that is there already is kept once. */
  readonly checkpoint: (hold: ChunkHold, part: ChunkPart, now?: number) => Promise<boolean>
  /** Says that a chunk which runs is alive, while there is nothing to be kept of it; whether the hold is still good. */
  readonly keepAlive: (hold: ChunkHold, now?: number) => Promise<boolean>
  /**
   * Keeps the results of a chunk and ends it. What `halt` says of the chunks that have not begun, or `cancel` said before,
   * holds in the same step. `keepMs`: how long the job's results are kept if this ends it.
   */
  readonly commit: (
    hold: ChunkHold,
    outcome: ChunkOutcome,
    keepMs: number,
    options?: JobTransaction,
    now?: number,
  ) => Promise<ChunkCommit>
  /**
   * Gives up the hold on a chunk that is to go on later, in `delayMs`; its parts are kept. The ref to be sent then;
   * undefined where the hold is over. One of a job that is to stop is overdue at once.
   */
  readonly postpone: (hold: ChunkHold, delayMs: number, now?: number) => Promise<ChunkRef | undefined>
  /** A job that was accepted; `forgotten` for a while once its time is over; undefined where nothing is known. */
  readonly find: (id: string, now?: number) => Promise<JobRecord | ForgottenJob | undefined>
  /** Ended chunks of a job, in order. */
  readonly results: (id: string, query: ChunksQuery, now?: number) => Promise<EndedChunks>
  /**
   * Stops a job: chunks that have not begun end at once, and count as skipped; running ones are left to those who run
   * them, and those that were postponed after they had begun are overdue now. Without either the job ends. Refs of chunks
   * that will not run any more; undefined where there is no such job. A job that has ended stays as it is.
   */
  readonly cancel: (id: string, keepMs: number, now?: number) => Promise<ReadonlyArray<ChunkRef> | undefined>
  /** Which of these jobs are to stop, or are gone. */
  readonly cancelled: (ids: ReadonlyArray<string>) => Promise<ReadonlyArray<string>>
  /**
   * Chunks that are due or running, and of which nothing was heard for so long: each is given its next dispatch, to be
   * sent anew, and counts as heard of now. For the first to ask. One that is due may only wait in a long queue: it takes
   * twice as long with each of its dispatches, 16 times at most.
   */
  readonly overdue: (silentMs: number, limit: number, now?: number) => Promise<ReadonlyArray<ChunkRef>>
  /**
   * Forgets at most `limit` jobs whose time is over, keeping for `tombstoneMs` that they were there; and at most `limit`
   * whose tombstone's time is over. How many it found.
   */
  readonly sweep: (limit: number, tombstoneMs: number, now?: number) => Promise<number>
  /** Operations of all jobs that have not ended, as they count against `JobLimits`. */
  readonly queued: () => Promise<number>
}
