/** What the cases of `JobStoreContract` share: new jobs and chunks, and short calls. */
import type {
  ChunkCommit,
  ChunkOutcome,
  ChunkPart,
  ChunkRef,
  JobAcceptance,
  JobExtent,
  JobLimits,
  JobRecord,
  NewChunk,
  NewJob,
  StartedChunk,
} from "../../jobs/Job.ts"
import { randomId } from "../../platform/randomId.ts"
import type { JobStore, JobTransaction } from "../../jobs/JobStore.ts"

/** A store under test. No other client uses it. */
export interface Backend {
  readonly store: JobStore
  /** The same store through another client, as another process has it. Default: `store`. */
  readonly other?: JobStore | undefined
  /** Runs a function in a transaction, and rolls it back if the function rejects. Required if `isTransactional`. */
  readonly transaction?: ((run: (transaction: unknown) => Promise<void>) => Promise<void>) | undefined
  readonly close?: (() => Promise<unknown>) | undefined
}

/** The time at which a case starts, in milliseconds since 1970. */
export const start = 1_900_000_000_000

/** Time until a job that does not end is dropped, in milliseconds. */
export const lifeMs = 604_800_000

/** Time for which results are kept, in milliseconds. */
export const keepMs = 86_400_000

/** Time after which a chunk is overdue, in milliseconds. */
export const silentMs = 30_000

/** Limits that no case reaches. */
export const noLimits: JobLimits = { queuedOperations: 1_000_000_000, jobsPerTenant: undefined }

/** Selects all ended chunks. */
export const allChunks = { from: 0, limit: 99, onlyFailed: false }

/** A new random hash. */
export const newHash = (): string => `${randomId()}${randomId()}`.slice(0, 43)

/** A new job. */
export const newJob = (given: Partial<NewJob> = {}): NewJob => ({
  id: randomId(),
  tenant: undefined,
  endpoint: "things",
  settings: `{"strategy":"partial"}`,
  key: undefined,
  lifeMs,
  ...given,
})

/** Chunks with these numbers of operations. */
export const chunksOf = (...sizes: ReadonlyArray<number>): ReadonlyArray<NewChunk> => {
  let first = 0
  return sizes.map((operations, index) => {
    const chunk = { index, first, operations, payload: lines(first, operations, (n) => `{"n":${n}}`) }
    first += operations
    return chunk
  })
}

/** The extent of a job with these chunks. */
export const extentOf = (chunks: ReadonlyArray<NewChunk>, given: Partial<JobExtent> = {}): JobExtent => ({
  total: chunks.reduce((sum, { operations }) => sum + operations, 0),
  chunks: chunks.length,
  window: 2,
  fingerprint: "f".repeat(43),
  ...given,
})

/** `count` texts, one line each. */
export const lines = (first: number, count: number, text = (n: number) => `{"index":${n}}`): string =>
  Array.from({ length: count }, (_, at) => text(first + at)).join("\n")

/** A part with `count` successes. */
export const partOf = (at: number, count: number, results = lines(at, count)): ChunkPart => ({
  at,
  results,
  outcomes: "s".repeat(count),
})

/** The outcome of a chunk that succeeds, with given members replaced. */
export const outcomeOf = (
  { first, operations }: Pick<NewChunk, "first" | "operations">,
  given: Partial<ChunkOutcome> = {},
): ChunkOutcome => ({ results: lines(first, operations), outcomes: "s".repeat(operations), halt: undefined, ...given })

/** Refs of chunks of a job. */
export const refs = (job: string, ...chunks: ReadonlyArray<number>): ReadonlyArray<ChunkRef> =>
  chunks.map((chunk) => ({ job, chunk, dispatch: 0 }))

/** How a job is submitted. */
export interface Submission {
  readonly job?: Partial<NewJob> | undefined
  readonly chunks?: ReadonlyArray<NewChunk> | undefined
  readonly extent?: Partial<JobExtent> | undefined
  readonly limits?: JobLimits | undefined
  readonly options?: JobTransaction | undefined
  readonly now?: number | undefined
}

/** One job, and short calls about it. */
export interface Stage {
  readonly job: NewJob
  readonly id: string
  readonly chunks: ReadonlyArray<NewChunk>
  readonly extent: JobExtent
  readonly submit: () => Promise<JobAcceptance>
  /** Uploads the chunks without closing the upload. */
  readonly upload: () => Promise<void>
  /** Returns the record; rejects if there is none. */
  readonly record: (now?: number) => Promise<JobRecord>
  /** Starts a chunk; rejects if it cannot be started. */
  readonly begin: (chunk: number, now?: number) => Promise<StartedChunk>
  /** Commits a chunk. By default every operation has succeeded. */
  readonly commit: (started: StartedChunk, given?: Partial<ChunkOutcome>, now?: number) => Promise<ChunkCommit>
  /** Starts and commits a chunk. */
  readonly finish: (chunk: number, given?: Partial<ChunkOutcome>, now?: number) => Promise<ChunkCommit>
}

/** A job that can be submitted. By default it has three chunks. */
export const stage = (store: JobStore, submission: Submission = {}): Stage => {
  const { chunks = chunksOf(2, 2, 2), limits = noLimits, options, now: madeAt = start } = submission
  const job = newJob(submission.job)
  const extent = extentOf(chunks, submission.extent)
  const begin = async (chunk: number, now = madeAt) => {
    const started = await store.start({ job: job.id, chunk }, now)
    if (started === undefined) throw new Error(`Chunk ${chunk} cannot be started`)
    return started
  }
  const commit = (started: StartedChunk, given: Partial<ChunkOutcome> = {}, now = madeAt) =>
    store.commit(started.hold, outcomeOf(started, given), keepMs, undefined, now)
  return {
    job,
    id: job.id,
    chunks,
    extent,
    submit: () => store.submit(job, extent, chunks, limits, options, madeAt),
    upload: async () => {
      await store.open(job, madeAt)
      await store.append(job.id, chunks, madeAt)
    },
    record: async (now = madeAt) => {
      const found = await store.find(job.id, now)
      if (found === undefined || found.state === "forgotten") throw new Error(`The job is ${found?.state ?? "unknown"}`)
      return found
    },
    begin,
    commit,
    finish: async (chunk, given, now = madeAt) => commit(await begin(chunk, now), given, now),
  }
}

/** A job that was submitted and accepted. */
export const accepted = async (store: JobStore, submission: Submission = {}): Promise<Stage> => {
  const staged = stage(store, submission)
  const acceptance = await staged.submit()
  if (acceptance._tag !== "accepted") throw new Error(`The job was not accepted: ${acceptance._tag}`)
  return staged
}

/** Deletes all jobs, also those that have not ended. */
export const clear = async (store: JobStore): Promise<void> => {
  for (let round = 0; round < 10_000; round++) {
    if ((await store.sweep(1_000, 1, start + round + 1e11)) === 0) return
  }
  throw new Error("`sweep` still finds jobs after 10,000 calls")
}
