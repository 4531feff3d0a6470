/** Accepts batches as jobs: cuts them into chunks and stores the chunks as they arrive. */
import { BatchError, PolicyRefusal } from "../batch/BatchError.ts"
import type { Strategy } from "../batch/Strategy.ts"
import type { Line } from "../http/readNdjson.ts"
import { keyReused } from "../idempotency/IdempotencyKeys.ts"
import type { Digest } from "../platform/Digest.ts"
import { randomId } from "../platform/randomId.ts"
import { BloomFilter } from "./BloomFilter.ts"
import { ChunkCutter, type ChunkSize } from "./ChunkCutter.ts"
import { writeLine } from "./ChunkPayload.ts"
import type { ChunkQueue } from "./ChunkQueue.ts"
import type { JobAcceptance, JobExtent, JobLimits, NewChunk, NewJob } from "./Job.ts"
import * as JobSpec from "./JobSpec.ts"
import type { JobStore, JobTransaction } from "./JobStore.ts"

/** Options of the intake. */
export interface JobIntakeOptions {
  readonly store: JobStore
  readonly queue: ChunkQueue
  readonly digest: Digest
  readonly chunk: ChunkSize
  /** Maximum number of chunks of one job in the queue. */
  readonly window: number
  readonly limits: JobLimits
  /** Time until a job that does not end is dropped, in milliseconds. */
  readonly lifeMs: number
  /** Called with errors that do not fail the request, such as a queue that is unreachable. */
  readonly onError: (error: unknown) => void
}

/** A batch to accept as a job. */
export interface JobRequest {
  readonly endpoint: string
  readonly tenant: string | undefined
  readonly strategy: Strategy
  /** Whether the result of a success includes what the action returned. Default: the setting of the endpoint. */
  readonly data: boolean | undefined
  /** The idempotency key of the batch. */
  readonly key: string | undefined
  /** Keeps the idempotency keys of this endpoint apart from those of others. */
  readonly keyScope: string
  /** Approximate number of operations. */
  readonly expected: number
  /** Whether the chunks have to run one after the other. */
  readonly isSequential: boolean
  /** The operations. Their texts must not contain line feeds. */
  readonly lines: Iterable<Line> | AsyncIterable<Line>
  /** The order key of an operation, so that chunks with the same key do not run at once. `index` is that in the job. */
  readonly orderKeyOf: (line: Line, index: number) => string | undefined
}

/** A job that was accepted. */
export interface AcceptedJob {
  readonly id: string
  readonly total: number
  /** Whether it was accepted before, with the same key. */
  readonly isKnown: boolean
}

export class JobIntake {
  private readonly options: JobIntakeOptions

  constructor(options: JobIntakeOptions) {
    this.options = options
  }

  /**
   * Makes a job of a batch. Rejects with a `BatchError` if a limit is reached, if the key was used for another batch, or if
   * reading the operations fails. Nothing of the batch is kept then.
   */
  async submit(request: JobRequest): Promise<AcceptedJob> {
    const { store, chunk, digest, onError } = this.options
    const job = await this.makeJob(request)
    const cutter = new ChunkCutter(request.strategy._tag === "atomic" ? unlimited : chunk)
    const order = new ChunkOrder(request.isSequential || request.strategy._tag === "stop-after", request.expected)
    const upload = new Upload(job, await digest(`multistatus job 1:${request.endpoint}:${job.settings}`), this.options)
    const add = async (cut: NewChunk | undefined) => {
      if (cut === undefined) return
      order.endChunk()
      await upload.add(cut)
    }
    try {
      for await (const line of request.lines) {
        await add(cutter.add(writeLine(line)))
        if (!order.isSequential) order.add(request.orderKeyOf(line, cutter.total - 1))
      }
      await add(cutter.end())
      const { total, chunks } = cutter
      if (chunks === 0) throw BatchError.invalid("EMPTY_BATCH", "The batch is empty: send at least one operation")
      const window = order.isSequential ? 1 : this.options.window
      return await upload.close({ total, chunks, window })
    } catch (error) {
      // A call to the store that failed may have taken effect.
      if (upload.isOpen || !(error instanceof BatchError)) await store.discard(job.id).catch(onError)
      throw error
    }
  }

  private async makeJob({ endpoint, tenant, strategy, data, key, keyScope }: JobRequest): Promise<NewJob> {
    const settings = JobSpec.write({ strategy, data, keyScope })
    const scopedKey = JSON.stringify(["multistatus job key 1", tenant ?? null, keyScope, key])
    const hashed = key === undefined ? undefined : await this.options.digest(scopedKey)
    return { id: randomId(), tenant, endpoint, settings, key: hashed, lifeMs: this.options.lifeMs }
  }
}

/** Characters of payload that are held before the first chunks go to the store. */
const bufferLength = 262_144

const unlimited: ChunkSize = { operations: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }

/** Hands the chunks of one job to the store. Most jobs are small, and take one call. */
class Upload {
  isOpen = false
  private readonly job: NewJob
  private readonly options: JobIntakeOptions
  /** Hash of the endpoint, of the settings and of all chunks so far. */
  private fingerprint: string
  private buffer: Array<NewChunk> = []
  private length = 0

  constructor(job: NewJob, fingerprint: string, options: JobIntakeOptions) {
    this.job = job
    this.fingerprint = fingerprint
    this.options = options
  }

  async add(chunk: NewChunk): Promise<void> {
    this.fingerprint = await this.options.digest(this.fingerprint + chunk.payload)
    if (this.length > 0 && this.length + chunk.payload.length > bufferLength) await this.flush()
    this.buffer.push(chunk)
    this.length += chunk.payload.length
  }

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

/** Tells whether the chunks of a job have to run one after the other, because an order key is in more than one of them. */
class ChunkOrder {
  isSequential: boolean
  private readonly earlier: BloomFilter
  private readonly current = new Set<string>()

  constructor(isSequential: boolean, expected: number) {
    this.isSequential = isSequential
    this.earlier = new BloomFilter(isSequential ? 0 : expected)
  }

  /** Adds an operation to the current chunk, in which operations keep their order anyway. */
  add(orderKey: string | undefined): void {
    if (orderKey !== undefined) this.current.add(orderKey)
  }

  endChunk(): void {
    for (const orderKey of this.current) if (this.earlier.add(orderKey)) this.isSequential = true
    this.current.clear()
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
