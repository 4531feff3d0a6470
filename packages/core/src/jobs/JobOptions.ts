/** Options of jobs. */
import type { ChunkQueue } from "./ChunkQueue.ts"
import type { JobStore } from "./JobStore.ts"
import { duration, type DurationInput } from "../options/DurationInput.ts"
import type { OptionGroup } from "../options/Option.ts"
import { anyFunction, flag, group, objectWith, text, wholeNumber } from "../options/OptionTypes.ts"

/** Where jobs live: a store and the queue that belongs to it. */
export interface JobEngine {
  /** The store of jobs. Required. */
  readonly store: JobStore
  /** The queue of chunks. Required. */
  readonly queue: ChunkQueue
}

/** How batches run as jobs, which outlive their requests. */
export interface JobOptions {
  /** Where jobs live: `memoryJobs()`, `sqlJobs(database, url)` or `redisJobs({ client })`. Required. */
  readonly engine: JobEngine
  /** Path, or whole URL, that the job endpoints are mounted at. Default `"/jobs"`. */
  readonly url?: string | undefined
  /** Number of operations above which every batch becomes a job. Default: only batches whose clients ask for it become jobs. */
  readonly above?: number | undefined
  /** Maximum number of operations in a job that is sent as JSON. Default 100,000. */
  readonly operations?: number | undefined
  /** Maximum size of a job that is sent as JSON. Default 64 MiB. */
  readonly bodyBytes?: number | undefined
  /** Maximum number of operations in a job that is sent as NDJSON. Default 1,000,000. */
  readonly uploadOperations?: number | undefined
  /** Maximum size of a job that is sent as NDJSON. Default 4 GiB. */
  readonly uploadBytes?: number | undefined
  /** Maximum number of operations in an atomic job, which runs as one transaction. Default: `limits.operations`. */
  readonly atomicOperations?: number | undefined
  /** Maximum number of operations in all unfinished jobs; a job beyond it is answered 503. Default 10,000,000. */
  readonly queuedOperations?: number | undefined
  /** Maximum number of unfinished jobs of one tenant; a job beyond it is answered 429. Default none. */
  readonly perTenant?: number | undefined
  /** Maximum number of operations in a chunk, which one worker runs. Default 500. */
  readonly chunkOperations?: number | undefined
  /** Maximum size of a chunk. Default 256 KiB. */
  readonly chunkBytes?: number | undefined
  /** Number of operations after which a worker stores their results and checks for cancellation. Default 50. */
  readonly sliceOperations?: number | undefined
  /** Maximum number of chunks of one job that are queued or running at once. Default 4. */
  readonly window?: number | undefined
  /** Number of chunks that this process runs at once; 0 for a process that runs none. Default 4. */
  readonly workers?: number | undefined
  /**
   * Returns the share of a tenant in the workers, in relation to other tenants whose chunks wait: 2 for twice as many chunks.
   * Default: tenants take turns, one chunk each.
   */
  readonly weight?: ((tenant: string | undefined) => number) | undefined
  /**
   * Whether each chunk runs in one transaction, which also stores its results. Operations that write through `tx` then
   * happen exactly once. Needs a `unitOfWork` and a store in its database. A chunk that costs more than the whole limit of
   * a quota fails. Default `false`.
   */
  readonly exactlyOnce?: boolean | undefined
  /** Maximum number of event streams that this process serves at once; a client beyond it is answered 503. Default 1,000. */
  readonly followers?: number | undefined
  /** How long the results of a job are kept after it has ended. Default `"1 day"`. */
  readonly keepResults?: DurationInput | undefined
  /** How long a job is kept that does not end. Default `"7 days"`. */
  readonly maxAge?: DurationInput | undefined
  /** How long `close` waits for running chunks before it aborts them; at most one hour. Default `"25 seconds"`. */
  readonly shutdownTimeout?: DurationInput | undefined
  /** Called with each error of a step that is retried. Default: the error is logged to standard error. */
  readonly onError?: ((error: unknown) => void) | undefined
}

const page = "jobs.md"

const storeMethods = ["submit", "open", "append", "close", "start", "commit", "find", "results", "cancel"] as const

/** Definitions of the two parts of an engine. */
export const jobEngineOptions = {
  store: { type: objectWith("JobStore", storeMethods), required: true, page },
  queue: { type: objectWith("ChunkQueue", ["enqueue", "consume", "forget", "close"]), required: true, page },
} satisfies OptionGroup<JobEngine>

/** Definitions of the options of jobs. */
export const jobOptions = {
  engine: { type: group<JobEngine>(jobEngineOptions), required: true, page },
  url: { type: text(), default: "/jobs", page },
  above: {
    type: wholeNumber(),
    defaultText: "only batches whose clients ask for it become jobs",
    unit: "operations",
    page,
  },
  operations: { type: wholeNumber(), default: 100_000, unit: "operations", page },
  bodyBytes: { type: wholeNumber(), default: 64 * 2 ** 20, unit: "bytes", page },
  uploadOperations: { type: wholeNumber(), default: 1_000_000, unit: "operations", page },
  uploadBytes: { type: wholeNumber(), default: 4 * 2 ** 30, unit: "bytes", page },
  atomicOperations: { type: wholeNumber(), defaultText: "`limits.operations`", unit: "operations", page },
  queuedOperations: { type: wholeNumber(), default: 10_000_000, unit: "operations", page },
  perTenant: { type: wholeNumber(), unit: "jobs", page },
  chunkOperations: { type: wholeNumber(), default: 500, unit: "operations", page },
  chunkBytes: { type: wholeNumber(), default: 256 * 1024, unit: "bytes", page },
  sliceOperations: { type: wholeNumber(), default: 50, unit: "operations", page },
  window: { type: wholeNumber({ maximum: 1000 }), default: 4, unit: "chunks", page },
  workers: { type: wholeNumber({ minimum: 0, maximum: 1000 }), default: 4, unit: "chunks", page },
  weight: { type: anyFunction(), defaultText: "tenants take turns, one chunk each", page },
  exactlyOnce: { type: flag, default: false, page },
  followers: { type: wholeNumber(), default: 1000, unit: "event streams", page },
  keepResults: { type: duration({ maximum: Number.MAX_SAFE_INTEGER }), default: "1 day", page },
  maxAge: { type: duration({ maximum: Number.MAX_SAFE_INTEGER }), default: "7 days", page },
  shutdownTimeout: { type: duration({ minimum: 0, maximum: 3_600_000 }), default: "25 seconds", page },
  onError: { type: anyFunction(), defaultText: "the error is logged to standard error", page },
} satisfies OptionGroup<JobOptions>
