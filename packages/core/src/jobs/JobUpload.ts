/** Hands the chunks of one job to the store, and its first chunks to the queue. */
import { BatchError } from "../batch/BatchError.ts"
import { PolicyRefusal } from "../batch/RefusalReason.ts"
import { keyReused } from "../idempotency/IdempotencyKeys.ts"
import type { Digest } from "../platform/Digest.ts"
import type { ChunkQueue } from "./ChunkQueue.ts"
import type { JobAcceptance, JobExtent, JobLimits, NewChunk, NewJob } from "./Job.ts"
import type { JobStore, JobTransaction } from "./JobStore.ts"

/** Options of uploads. */
export interface JobUploadOptions {
  readonly store: JobStore
  readonly queue: ChunkQueue
  readonly digest: Digest
  readonly limits: JobLimits
  /** Called with errors that do not fail the request, such as a queue that is unreachable. */
  readonly onError: (error: unknown) => void
}

/** A job that was accepted. */
export interface AcceptedJob {
  readonly id: string
  readonly total: number
  /** Whether it was accepted before, with the same key. */
  readonly isKnown: boolean
}

/** Characters of payload that are held before the first chunks go to the store. */
const bufferLength = 262_144

/** One job that is being stored. Most jobs are small, and take one call. */
export class JobUpload {
  /** Whether chunks have been stored. */
  isOpen = false
  private readonly job: NewJob
  private readonly options: JobUploadOptions
  /** Hash of the endpoint, of the settings and of all chunks so far. */
  private fingerprint: string
  private buffer: Array<NewChunk> = []
  private length = 0

  /** `fingerprint` is a hash of what the job consists of besides its chunks. */
  constructor(job: NewJob, fingerprint: string, options: JobUploadOptions) {
    this.job = job
    this.fingerprint = fingerprint
    this.options = options
  }

  /** Adds the next chunk. Rejects if the upload has expired. */
  async add(chunk: NewChunk): Promise<void> {
    this.fingerprint = await this.options.digest(this.fingerprint + chunk.payload)
    if (this.length > 0 && this.length + chunk.payload.length > bufferLength) await this.flush()
    this.buffer.push(chunk)
    this.length += chunk.payload.length
  }

  /** Submits the job, and enqueues its first chunks. Rejects with a `BatchError` if the job is refused. */
  async close(counts: Omit<JobExtent, "fingerprint">): Promise<AcceptedJob> {
    const { store, queue, limits, onError } = this.options
    const { job } = this
    const isTransactional = store.isTransactional && queue.isTransactional
    const options: JobTransaction = {
      alongside: isTransactional ? (transaction, due) => queue.enqueue(due, { transaction }) : undefined,
    }
    if (this.isOpen) await this.flush()
    const extent = { ...counts, fingerprint: this.fingerprint }
    const acceptance = this.isOpen
      ? await store.close(job.id, extent, limits, options)
      : await store.submit(job, extent, this.buffer, limits, options)
    if (acceptance._tag === "accepted") {
      // The job is accepted even if the queue is unreachable: its chunks will be found as overdue.
      if (!isTransactional) await queue.enqueue(acceptance.due).catch(onError)
      return { id: job.id, total: extent.total, isKnown: false }
    }
    if (acceptance._tag === "exists" && acceptance.isSame) {
      return { id: acceptance.id, total: extent.total, isKnown: true }
    }
    throw refusalOf(acceptance, limits)
  }

  private async flush(): Promise<void> {
    const { store } = this.options
    if (!this.isOpen) {
      this.isOpen = true
      await store.open(this.job)
    }
    if (!(await store.append(this.job.id, this.buffer))) throw uploadExpired()
    this.buffer = []
    this.length = 0
  }
}

const refusalOf = (
  acceptance: Exclude<JobAcceptance, { readonly _tag: "accepted" }>,
  limits: JobLimits,
): BatchError => {
  switch (acceptance._tag) {
    case "exists": {
      const { code, status, message } = keyReused()
      return refuse(code, status, message)
    }
    case "full":
      return refuse(
        "OVERLOADED",
        503,
        `${acceptance.queued} operations of jobs are unfinished, and the limit is ${limits.queuedOperations}: try again later`,
        30,
      )
    case "tenant-full":
      return refuse(
        "RATE_LIMITED",
        429,
        `You have ${limits.jobsPerTenant} unfinished jobs, which is the limit: wait for one to end, or cancel one`,
        10,
      )
    case "gone":
      return uploadExpired()
  }
}

const uploadExpired = () => refuse("TIMEOUT", 408, "The upload took too long and was discarded: send it again")

const refuse = (code: string, status: number, detail: string, retryAfter?: number) =>
  new BatchError({ reason: new PolicyRefusal({ code, status, detail, retryAfter }) })
