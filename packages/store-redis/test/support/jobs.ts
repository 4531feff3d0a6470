import type { JobExtent, JobLimits, JobTally, NewChunk, NewJob } from "@multistatus/core"
import { randomBytes } from "node:crypto"
import { hashOf } from "./items.ts"

export const newJob = (fields: Partial<NewJob> = {}): NewJob => ({
  id: randomBytes(16).toString("base64url"),
  tenant: undefined,
  endpoint: "orders",
  settings: '{"strategy":"independent"}',
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

export const extentOf = (chunks: ReadonlyArray<NewChunk>, fields: Partial<JobExtent> = {}): JobExtent => ({
  total: chunks.reduce((sum, { operations }) => sum + operations, 0),
  chunks: chunks.length,
  window: 4,
  fingerprint: hashOf("fingerprint"),
  ...fields,
})

export const noLimits: JobLimits = { queuedOperations: 1_000_000, jobsPerTenant: undefined }

export const both: JobTally = { succeeded: 2, failed: 0, skipped: 0 }

export const results = '{"status":200}\n{"status":200}'

export const keepMs = 86_400_000
