/** How an application configures jobs: every option with its default, checked at start-up. */
import * as Schema from "effect/Schema"
import type { ChunkQueue } from "./ChunkQueue.ts"
import type { JobStore } from "./JobStore.ts"
import { AnyFunction, checker, withMethods } from "../options/OptionSchemas.ts"

/** Where jobs live: a store, and the queue that goes with it. */
export interface JobEngine {
  readonly store: JobStore
  readonly queue: ChunkQueue
}

/** How batches run that outlive their requests. */
export interface JobOptions {
  /** Where they live: `memoryJobs()`, `sqlJobs(database)`, `redisJobs(…)`. */
  readonly engine: JobEngine
  /** Where clients find their jobs: the path, or the whole url, that the job endpoints are mounted at. Default `/jobs`. */
  readonly url?: string | undefined
  /** Operations beyond which batches become jobs by themselves. Default: only those whose clients prefer it. */
  readonly above?: number | undefined
  /** Operations of a job that is sent as JSON. Default 100,000. */
  readonly operations?: number | undefined
  /** Bytes of a job that is sent as JSON. Default 64 MiB. */
  readonly bodyBytes?: number | undefined
  /** Operations of a job that is sent as NDJSON. Default 1,000,000. */
  readonly uploadOperations?: number | undefined
  /** Bytes of a job that is sent as NDJSON. Default 4 GiB. */
  readonly uploadBytes?: number | undefined
  /** Operations of an atomic job, which runs as one transaction. Default: `limits.operations`. */
  readonly atomicOperations?: number | undefined
  /** Operations of all jobs that have not ended; beyond it 503. Default 10,000,000. */
  readonly queuedOperations?: number | undefined
  /** Jobs of one tenant that have not ended; beyond it 429. Default: any number. */
  readonly perTenant?: number | undefined
  /** Operations that one worker takes at a time. Default 500. */
  readonly chunkOperations?: number | undefined
  /** Bytes of operations that one worker takes at a time. Default 262,144. */
  readonly chunkBytes?: number | undefined
  /** Operations after which results are kept, and cancellation is noticed. Default 50. */
  readonly sliceOperations?: number | undefined
  /** Chunks of one job that may run, or wait to run, at once. Default 4. */
  readonly window?: number | undefined
  /** Chunks that this process runs at once; 0: it runs none. Default 4. */
  readonly workers?: number | undefined
  /**
   * Whether each chunk runs in one transaction of the unit of work, which its results commit in too: whatever crashes,
   * each operation that writes through `tx` has happened exactly once. For a store in the same database. A chunk that costs
   * more than a quota ever has then fails. Default false.
   */
  readonly exactlyOnce?: boolean | undefined
  /** Seconds for which results are kept after the end. Default 86,400: a day. */
  readonly keepSeconds?: number | undefined
  /** Seconds for which a job is kept that does not end. Default 604,800: a week. */
  readonly lifeSeconds?: number | undefined
  /** Milliseconds for which running chunks are waited for at shutdown. Default 10,000. */
  readonly shutdownMs?: number | undefined
  /** Told of what fails behind the scenes and is tried again. Default: it is logged to standard error. */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** Options as they hold. */
export type JobSettings = {
  readonly [Name in Exclude<keyof JobOptions, "above" | "perTenant" | "onError">]-?: NonNullable<JobOptions[Name]>
} & Pick<JobOptions, "above" | "perTenant" | "onError">

const positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const count = Schema.optional(positive)

/** What options have to be. */
export const Options = Schema.Struct({
  engine: Schema.Struct({
    store: withMethods("submit", "open", "append", "close", "start", "commit", "find", "results", "cancel"),
    queue: withMethods("enqueue", "consume", "forget", "close"),
  }),
  url: Schema.optional(Schema.String.check(Schema.isMinLength(1))),
  above: count,
  operations: count,
  bodyBytes: count,
  uploadOperations: count,
  uploadBytes: count,
  atomicOperations: count,
  queuedOperations: count,
  perTenant: count,
  chunkOperations: count,
  chunkBytes: count,
  sliceOperations: count,
  window: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))),
  workers: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))),
  exactlyOnce: Schema.optional(Schema.Boolean),
  keepSeconds: count,
  lifeSeconds: count,
  shutdownMs: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3_600_000 }))),
  onError: Schema.optional(AnyFunction),
})

const check = checker("jobs", Options)

/** Fills in defaults; throws a `TypeError` that names what is wrong. */
export const resolveOptions = (
  options: JobOptions,
  { hasUnitOfWork, operations }: { readonly hasUnitOfWork: boolean; readonly operations: number },
): JobSettings => {
  check(options)
  const { store, queue } = options.engine
  if (options.exactlyOnce === true && (!hasUnitOfWork || !store.isTransactional)) {
    throw new TypeError(
      `"jobs.exactlyOnce" needs a "unitOfWork", and a store of jobs that takes part in its transactions, such as the SQL store`,
    )
  }
  return {
    engine: { store, queue },
    url: (options.url ?? "/jobs").replace(/\/+$/, ""),
    above: options.above,
    operations: options.operations ?? 100_000,
    bodyBytes: options.bodyBytes ?? 64 * 2 ** 20,
    uploadOperations: options.uploadOperations ?? 1_000_000,
    uploadBytes: options.uploadBytes ?? 4 * 2 ** 30,
    atomicOperations: options.atomicOperations ?? operations,
    queuedOperations: options.queuedOperations ?? 10_000_000,
    perTenant: options.perTenant,
    chunkOperations: options.chunkOperations ?? 500,
    chunkBytes: options.chunkBytes ?? 256 * 1024,
    sliceOperations: options.sliceOperations ?? 50,
    window: options.window ?? 4,
    workers: options.workers ?? 4,
    exactlyOnce: options.exactlyOnce ?? false,
    keepSeconds: options.keepSeconds ?? 86_400,
    lifeSeconds: options.lifeSeconds ?? 604_800,
    shutdownMs: options.shutdownMs ?? 10_000,
    onError: options.onError,
  }
}
