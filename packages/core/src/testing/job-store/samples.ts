/** Jobs and chunks for the tests of stores and queues. */
import type { ChunkOutcome, JobExtent, JobLimits, NewChunk, NewJob } from "../../jobs/Job.ts"
import { randomId } from "../../platform/randomId.ts"

/** A text with the length of a hash, the same for the same name. */
export const hashOf = (name: string): string =>
  name
    .replaceAll(/[^\w-]/g, "-")
    .padEnd(43, "_")
    .slice(0, 43)

/** A new job without a tenant. */
export const newJob = (fields: Partial<NewJob> = {}): NewJob => ({
  id: randomId(),
  tenant: undefined,
  endpoint: "orders",
  settings: '{"strategy":"partial"}',
  key: undefined,
  lifeMs: 7 * 86_400_000,
  ...fields,
})

/** Chunks of two operations each. */
export const newChunks = (count: number): ReadonlyArray<NewChunk> =>
  Array.from({ length: count }, (_, index) => ({
    index,
    first: 2 * index,
    operations: 2,
    payload: `{"n":${2 * index}}\n{"n":${2 * index + 1}}`,
  }))

/** The extent of a job with these chunks. */
export const extentOf = (chunks: ReadonlyArray<NewChunk>, fields: Partial<JobExtent> = {}): JobExtent => ({
  total: chunks.reduce((sum, { operations }) => sum + operations, 0),
  chunks: chunks.length,
  window: 4,
  fingerprint: hashOf("fingerprint"),
  ...fields,
})

/** Limits that no test reaches. */
export const noLimits: JobLimits = { queuedOperations: 1_000_000, jobsPerTenant: undefined }

/** The outcome of a chunk of two operations that succeeded. */
export const bothSucceeded: ChunkOutcome = {
  results: '{"status":200}\n{"status":200}',
  outcomes: "ss",
  halt: undefined,
}

/** Time for which results are kept, in milliseconds. */
export const keepMs = 86_400_000
