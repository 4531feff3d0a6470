/**
 * Stores jobs: their operations, their progress and their results. The store is the source of truth. A queue only says that
 * a chunk is due, and may say so twice, late, or never.
 *
 * To add a store, implement `JobStore` and run `JobStoreContract` against it.
 *
 * A chunk is waiting, running or ended:
 *
 * ```
 *                              start
 *                    epoch + 1, starts + 1
 *   submit   ┌───────────┐ ─────────────────► ┌─────────────┐ ───┐ start by the dispatch that holds it:
 *  ────────► │  waiting  │                    │   running   │    │ epoch + 1, starts + 1,
 *   close    └─────┬─────┘ ◄───────────────── └──────┬──────┘ ◄──┘ and the earlier hold is over
 *                  │           postpone              │
 *                  │   starts - 1, dispatch + 1      │
 *       cancel, or a commit with `halt`:             │ commit
 *       only if nothing of it is kept                │
 *                  ▼                                 ▼
 *            ┌───────────┐                    ┌─────────────┐
 *            │   ended   │                    │    ended    │
 *            │ never ran │                    │ has results │
 *            └───────────┘                    └─────────────┘
 * ```
 *
 * - **hold**: a worker's claim on a running chunk. The **epoch** is its fencing token. Every write of a worker names its hold,
 *   and is refused once the chunk was started again: a worker that was thought dead cannot change anything.
 * - **dispatch**: how often the chunk was sent to the queue again: by `overdue`, because a waiting or running chunk was silent,
 *   or by `postpone`. A running chunk is held by the dispatch that started it, or by a later one that `overdue` gave it.
 * - **starts**: how many starts have kept nothing. `checkpoint` resets it to 1. A chunk with too many starts kills its workers.
 * - **postponed**: a postponed chunk is a waiting chunk. If results of it are kept, it has started: neither `cancel` nor
 *   `halt` ends it, because only a worker can complete its results.
 */
import type {
  ChunkCommit,
  ChunkHold,
  ChunkOutcome,
  ChunkPart,
  ChunkRef,
  DueChunk,
  EndedChunk,
  JobAcceptance,
  JobExtent,
  JobLimits,
  JobRecord,
  JobWait,
  NewChunk,
  NewJob,
  StartedChunk,
} from "./Job.ts"

/** How a call takes part in a transaction. */
export interface JobTransaction {
  /** The client library's open transaction, which the call uses instead of its own. Only if `isTransactional`. */
  readonly transaction?: unknown
  /**
   * Called inside the transaction before it commits, with the chunks that are due. If it rejects, nothing of the call is
   * kept. Never called by a store that is not `isTransactional`.
   */
  readonly alongside?: ((transaction: unknown, due: ReadonlyArray<ChunkRef>) => Promise<void>) | undefined
}

/** A job whose results were deleted. */
export interface ForgottenJob {
  readonly state: "forgotten"
  readonly id: string
  readonly tenant: string | undefined
}

/** Selects ended chunks. */
export interface ChunksQuery {
  /** Index of the first chunk. */
  readonly from: number
  /** Maximum number of chunks. */
  readonly limit: number
  /** Whether to return only chunks with an operation that did not succeed. */
  readonly onlyFailed: boolean
}

/** Ended chunks in order. */
export interface EndedChunks {
  readonly chunks: ReadonlyArray<EndedChunk>
  /** Index of the first chunk that was not looked at. The store stops before the first chunk that has not ended. */
  readonly next: number
  /** Whether the job has no chunks from `next` on. */
  readonly isLast: boolean
}

/**
 * A store of jobs.
 *
 * **Details** Time is that of the store, the same for all of its clients; tests pass `now` instead, in milliseconds since 1970.
 * Each call is atomic. A call that is repeated because its response was lost does no harm: it returns the same result, or
 * that there is nothing to do. Calls reject if the store is unreachable.
 *
 * A job is made by `submit`, or by `open`, then `append` (chunk by chunk, in order), then `close`. `find` returns it, and it
 * counts against `JobLimits`, once it is accepted. Its first `window` chunks are due at once, in order, and one more whenever
 * a chunk ends. When the last chunk ends, the job ends.
 */
export interface JobStore {
  /** Whether calls take part in database transactions. */
  readonly isTransactional: boolean
  /** Submits a job with all of its chunks. */
  readonly submit: (
    job: NewJob,
    extent: JobExtent,
    chunks: ReadonlyArray<NewChunk>,
    limits: JobLimits,
    options?: JobTransaction,
    now?: number,
  ) => Promise<JobAcceptance>
  /** Starts the upload of a job. */
  readonly open: (job: NewJob, now?: number) => Promise<void>
  /** Adds chunks to an upload. Chunks that it already has are ignored. Returns false if there is no such upload. */
  readonly append: (id: string, chunks: ReadonlyArray<NewChunk>, now?: number) => Promise<boolean>
  /** Ends an upload: the job is accepted, or nothing of it is kept. */
  readonly close: (
    id: string,
    extent: JobExtent,
    limits: JobLimits,
    options?: JobTransaction,
    now?: number,
  ) => Promise<JobAcceptance>
  /** Drops an upload. */
  readonly discard: (id: string) => Promise<void>
  /**
   * Starts a chunk and returns a new hold on it. The first start makes the job `running`.
   *
   * **Details** A running chunk is given only to the dispatch that holds it, which its queue delivers again if the worker
   * died; dispatches that were sent while it waited get nothing. A call without `dispatch` is given any chunk that has not
   * ended. Returns undefined if the chunk is not given, or if there is no such chunk.
   */
  readonly start: (
    ref: Pick<ChunkRef, "job" | "chunk"> & Partial<Pick<ChunkRef, "dispatch">>,
    now?: number,
  ) => Promise<StartedChunk | undefined>
  /**
   * Keeps results of a running chunk, as a sign of life. A part with the same `at` is kept once. Returns false if the hold is
   * over.
   */
  readonly checkpoint: (hold: ChunkHold, part: ChunkPart, now?: number) => Promise<boolean>
  /** A sign of life of a running chunk that has no results to keep. Returns false if the hold is over. */
  readonly keepAlive: (hold: ChunkHold, now?: number) => Promise<boolean>
  /**
   * Stores the results of a chunk and ends it. `halt`, or an earlier `cancel`, takes effect in the same step. If this ends
   * the job, its results are kept for `keepMs` milliseconds.
   */
  readonly commit: (
    hold: ChunkHold,
    outcome: ChunkOutcome,
    keepMs: number,
    options?: JobTransaction,
    now?: number,
  ) => Promise<ChunkCommit>
  /**
   * Gives up the hold on a chunk that is to continue in `delayMs` milliseconds. Its parts are kept. Returns the ref to enqueue
   * with that delay, or undefined if the hold is over. If the job is cancelled, the chunk is overdue at once. `waitsFor` is
   * what the chunk waits for, for the record of the job.
   */
  readonly postpone: (
    hold: ChunkHold,
    delayMs: number,
    now?: number,
    waitsFor?: JobWait["for"],
  ) => Promise<ChunkRef | undefined>
  /** Finds a job that was accepted. It is `forgotten` for a while after it has expired, then undefined. */
  readonly find: (id: string, now?: number) => Promise<JobRecord | ForgottenJob | undefined>
  /** Returns ended chunks of a job, in order. */
  readonly results: (id: string, query: ChunksQuery, now?: number) => Promise<EndedChunks>
  /**
   * Cancels a job. A job that has ended stays as it is.
   *
   * **Details** Chunks that have not started end at once, and their operations are skipped. Running chunks are left to their
   * workers. Postponed chunks that have started are overdue at once. If there are neither, the job ends, and its results are
   * kept for `keepMs` milliseconds. Returns the refs that need not be delivered any more, or undefined if there is no such job.
   */
  readonly cancel: (id: string, keepMs: number, now?: number) => Promise<ReadonlyArray<ChunkRef> | undefined>
  /** Returns those of the ids whose jobs are cancelled, or do not exist. */
  readonly cancelled: (ids: ReadonlyArray<string>) => Promise<ReadonlyArray<string>>
  /**
   * Finds chunks that are due or running without a sign of life for `silentMs` milliseconds. Each is given its next dispatch,
   * which counts as a sign of life, so that only the first caller gets it.
   *
   * **Details** A chunk that is due may just wait in a long queue. So the time doubles with each of its dispatches, up to 16
   * times `silentMs`.
   */
  readonly overdue: (silentMs: number, limit: number, now?: number) => Promise<ReadonlyArray<ChunkRef>>
  /**
   * Deletes at most `limit` expired jobs, which are `forgotten` for another `tombstoneMs` milliseconds, and at most `limit`
   * jobs for which that time is over. Returns how many it found.
   */
  readonly sweep: (limit: number, tombstoneMs: number, now?: number) => Promise<number>
  /**
   * Returns one chunk that is due and waits for each tenant that has one, at most `limit`, the oldest first. Chunks that were
   * postponed are due when their delay is over. A store with many jobs may leave out tenants.
   *
   * **Details** Workers use it to give tenants equal shares. Without it, chunks run in the order of the queue.
   */
  readonly due?: ((limit: number, now?: number) => Promise<ReadonlyArray<DueChunk>>) | undefined
  /** Number of operations that count against `JobLimits`. */
  readonly queued: () => Promise<number>
  /** Rejects with a sentence if the store is not ready, such as without its table. Endpoints call it when they are created. */
  readonly check?: (() => Promise<void>) | undefined
}
