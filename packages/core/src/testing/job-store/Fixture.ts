/** What the cases of `JobStoreContract` share: jobs that nobody made before, their chunks, and short calls. */
import type {
  ChunkCommit,
  ChunkOutcome,
  ChunkRef,
  JobAcceptance,
  JobExtent,
  JobLimits,
  JobRecord,
  JobTally,
  NewChunk,
  NewJob,
  StartedChunk,
} from "../../jobs/Job.ts"
import { randomId } from "../../platform/randomId.ts"
import type { JobStore, JobTransaction } from "../../jobs/JobStore.ts"

/** A store under test, alone with its jobs. */
export interface Backend {
  readonly store: JobStore
  /** The same jobs through another client: another connection, as another process has it. Default: `store`. */
  readonly other?: JobStore | undefined
  /** Runs in a transaction, rolled back if it rejects; needed where `isTransactional`. */
  readonly transaction?: ((run: (transaction: unknown) => Promise<void>) => Promise<void>) | undefined
  readonly close?: (() => Promise<unknown>) | undefined
}

/** The time at which a case begins, in milliseconds since 1970. */
export const start = 1_900_000_000_000

/** Milliseconds that a job of a case is kept if it does not end. */
export const lifeMs = 604_800_000

/** Milliseconds that results of a case are kept. */
export const keepMs = 86_400_000

/** Milliseconds after which a chunk of a case is overdue. */
export const silentMs = 30_000

/** Room for everything. */
export const roomy: JobLimits = { queuedOperations: 1_000_000_000, jobsPerTenant: undefined }

/** A hash that nobody had before. */
export const newHash = (): string => `${randomId()}${randomId()}`.slice(0, 43)

/** A job that nobody made before. */
export const newJob = (given: Partial<NewJob> = {}): NewJob => ({
  id: randomId(),
  tenant: undefined,
  endpoint: "things",
  settings: `{"strategy":"partial"}`,
  key: undefined,
  lifeMs,
  ...given,
})

/** Chunks of so many operations each. */
export const chunksOf = (...sizes: ReadonlyArray<number>): ReadonlyArray<NewChunk> => {
  let first = 0
  return sizes.map((operations, index) => {
    const chunk = { index, first, operations, payload: lines(first, operations, (n) => `{"n":${n}}`) }
    first += operations
    return chunk
  })
}

/** What is known of a job with these chunks. */
export const extentOf = (chunks: ReadonlyArray<NewChunk>, given: Partial<JobExtent> = {}): JobExtent => ({
  total: chunks.reduce((sum, { operations }) => sum + operations, 0),
  chunks: chunks.length,
  window: 2,
  fingerprint: "f".repeat(43),
  ...given,
})

/** So many texts, one a line. */
export const lines = (first: number, count: number, text = (n: number) => `{"index":${n}}`): string =>
  Array.from({ length: count }, (_, at) => text(first + at)).join("\n")

/** A tally. */
export const tallyOf = (succeeded: number, failed = 0, skipped = 0): JobTally => ({ succeeded, failed, skipped })

/** A part with so many results. */
export const partOf = (at: number, count: number, text = lines(at, count)) => ({
  at,
  results: text,
  tally: tallyOf(count),
})

/** How a chunk ends that succeeds, unless told otherwise. */
export const outcomeOf = (
  { first, operations }: Pick<NewChunk, "first" | "operations">,
  given: Partial<ChunkOutcome> = {},
): ChunkOutcome => ({ results: lines(first, operations), tally: tallyOf(operations), halt: undefined, ...given })

/** Refs of chunks of a job. */
export const refs = (job: string, ...chunks: ReadonlyArray<number>): ReadonlyArray<ChunkRef> =>
  chunks.map((chunk) => ({ job, chunk, dispatch: 0 }))

/** What a job is handed in with. */
export interface Handed {
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
  /** Its record; rejects where there is none. */
  readonly record: (now?: number) => Promise<JobRecord>
  /** Starts a chunk; rejects where it cannot be. */
  readonly begin: (chunk: number, now?: number) => Promise<StartedChunk>
  /** Starts a chunk, and ends it; as a success unless told otherwise. */
  readonly finish: (chunk: number, given?: Partial<ChunkOutcome>, now?: number) => Promise<ChunkCommit>
  readonly commit: (started: StartedChunk, given?: Partial<ChunkOutcome>, now?: number) => Promise<ChunkCommit>
}

/** A job that is to be handed in, of three chunks unless told otherwise. */
export const stage = (store: JobStore, handed: Handed = {}): Stage => {
  const { chunks = chunksOf(2, 2, 2), limits = roomy, options, now: madeAt = start } = handed
  const job = newJob(handed.job)
  const extent = extentOf(chunks, handed.extent)
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
    record: async (now = madeAt) => {
      const found = await store.find(job.id, now)
      if (found === undefined || found.state === "forgotten") throw new Error(`The job is ${found?.state ?? "unknown"}`)
      return found
    },
    begin,
    finish: async (chunk, given, now = madeAt) => commit(await begin(chunk, now), given, now),
    commit,
  }
}

/** A job that was handed in. */
export const accepted = async (store: JobStore, handed: Handed = {}): Promise<Stage> => {
  const staged = stage(store, handed)
  const admission = await staged.submit()
  if (admission._tag !== "accepted") throw new Error(`The job was answered: ${admission._tag}`)
  return staged
}

/** Forgets all jobs, those that have not ended too. */
export const clear = async (store: JobStore): Promise<void> => {
  for (let round = 0; round < 10_000; round++) {
    if ((await store.sweep(1_000, 1, start + round + 1e11)) === 0) return
  }
  throw new Error("The store never comes to an end of what there is to sweep")
}
