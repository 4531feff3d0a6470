/** Jobs and chunks for tests of stores and of queues. */
import type { JobExtent, JobLimits, JobTally, NewChunk, NewJob } from "../../jobs/Job.ts"
import { randomId } from "../../platform/randomId.ts"

/** A text of 43 characters that is the same for the same name, as a hash is. */
export const hashOf = (name: string): string =>
  name
    .replaceAll(/[^\w-]/g, "-")
    .padEnd(43, "_")
    .slice(0, 43)

/** A job of nobody's. */
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

/** What is known of a job of these chunks. */
export const extentOf = (chunks: ReadonlyArray<NewChunk>, fields: Partial<JobExtent> = {}): JobExtent => ({
  total: chunks.reduce((sum, { operations }) => sum + operations, 0),
  chunks: chunks.length,
  window: 4,
  fingerprint: hashOf("fingerprint"),
  ...fields,
})

/** Room for everything. */
export const noLimits: JobLimits = { queuedOperations: 1_000_000, jobsPerTenant: undefined }

/** Both operations of a chunk succeeded. */
export const both: JobTally = { succeeded: 2, failed: 0, skipped: 0 }

/** Results of both operations of a chunk. */
export const results = '{"status":200}\n{"status":200}'

/** Milliseconds for which results are kept. */
export const keepMs = 86_400_000
