/** Takes batches in that are to run later: cuts them into chunks, and hands those to the store as they come. */
import { BatchError } from "../batch/BatchError.ts"
import { PolicyRefusal } from "../batch/RefusalReason.ts"
import { ChunkCutter, type ChunkSize } from "./ChunkCutter.ts"
import type { JobAcceptance, JobExtent, JobLimits, NewChunk, NewJob } from "./Job.ts"
import { randomId } from "../platform/randomId.ts"
import { BloomFilter } from "./BloomFilter.ts"
import type { Strategy } from "../batch/Strategy.ts"
import { keyReused } from "../idempotency/IdempotencyKeys.ts"
import type { ChunkQueue } from "./ChunkQueue.ts"
import * as JobSpec from "./JobSpec.ts"
import type { Digest } from "../platform/Digest.ts"
import type { JobStore, JobTransaction } from "./JobStore.ts"

/** How jobs are taken in. */
export interface JobIntakeOptions {
  readonly store: JobStore
  readonly queue: ChunkQueue
  readonly digest: Digest
  readonly chunk: ChunkSize
  /** Chunks of one job that may be in the queue at once. */
  readonly window: number
  readonly limits: JobLimits
  /** Milliseconds that a job is kept that does not end. */
  readonly lifeMs: number
  /** Told of chunks that could not be sent to the queue; they are sent later. */
  readonly onUnsent: (error: unknown) => void
}

/** A batch to be taken in. */
export interface JobRequest {
  readonly endpoint: string
  readonly tenant: string | undefined
  readonly strategy: Strategy
  /** Whether the results of successes carry what the action returned; undefined: as the endpoint is configured. */
  readonly data: boolean | undefined
  /** The client's name for the batch. */
  readonly key: string | undefined
  /** What keeps idempotency keys of this endpoint apart from those of others. */
  readonly keyScope: string
  /** How many operations there are about. */
  readonly expected: number
  /** Whether its operations have to run one chunk after the other. */
  readonly isSequential: boolean
  /** What the operations of some lines work on, so that two of one target are not run at once. */
  readonly targets: (lines: ReadonlyArray<string>) => ReadonlyArray<string | undefined>
  /** Its operations, one JSON text each, without line feeds. */
  readonly lines: Iterable<string> | AsyncIterable<string>
}

/** A job that was taken in. */
export interface TakenJob {
  readonly id: string
  readonly total: number
  /** Whether it was there already, under the same key. */
  readonly isKnown: boolean
}

/** Takes batches in. */
export class JobIntake {
  private readonly options: JobIntakeOptions

  constructor(options: JobIntakeOptions) {
    this.options = options
  }

  /**
   * Makes a job of a batch. Rejects with a `BatchError` where there is no room for it, its key was used for another one,
   * or reading it fails; nothing of it is then kept.
   */
  async take(request: JobRequest): Promise<TakenJob> {
    const { store, chunk, digest } = this.options
    const job = await this.jobOf(request)
    const isAtomic = request.strategy._tag === "atomic"
    const cutter = new ChunkCutter(isAtomic ? whole : chunk)
    const order = new Order(request)
    let fingerprint = await digest(`multistatus job 1:${request.endpoint}:${job.settings}`)
    let held: Array<NewChunk> = []
    let heldLength = 0
    let isOpen = false
    const keep = async (cut: NewChunk) => {
      fingerprint = await digest(fingerprint + cut.payload)
      order.note(cut)
      // What is not much, as most jobs are not, is handed in with one call.
      if (heldLength > 0 && heldLength + cut.payload.length > lengthAtOnce) {
        if (!isOpen) {
          isOpen = true
          await store.open(job)
        }
        if (!(await store.append(job.id, held))) throw gone()
        held = []
        heldLength = 0
      }
      held.push(cut)
      heldLength += cut.payload.length
    }
    try {
      for await (const line of request.lines) {
        const cut = cutter.add(line)
        if (cut !== undefined) await keep(cut)
      }
      const last = cutter.end()
      if (last !== undefined) await keep(last)
      const { total, chunks } = cutter
      if (chunks === 0) throw BatchError.invalid("EMPTY_BATCH", "The batch is empty: send at least one operation")
      if (isOpen && !(await store.append(job.id, held))) throw gone()
      const window = order.isSequential ? 1 : this.options.window
      const extent: JobExtent = { total, chunks, window, fingerprint }
      return await this.admit(job, extent, isOpen ? undefined : held)
    } catch (error) {
      // What failed may have been done in part.
      if (isOpen || !(error instanceof BatchError)) await store.discard(job.id).catch(this.options.onUnsent)
      throw error
    }
  }

  private async jobOf({ endpoint, tenant, strategy, data, key, keyScope }: JobRequest): Promise<NewJob> {
    const settings = JobSpec.write({ strategy, data, keyScope })
    const name = JSON.stringify(["multistatus job key 1", tenant ?? null, keyScope, key])
    const named = key === undefined ? undefined : await this.options.digest(name)
    return { id: randomId(), tenant, endpoint, settings, key: named, lifeMs: this.options.lifeMs }
  }

  private async admit(job: NewJob, extent: JobExtent, all: ReadonlyArray<NewChunk> | undefined): Promise<TakenJob> {
    const { store, queue, limits, onUnsent } = this.options
    const isOneStep = store.isTransactional && queue.isTransactional
    const options: JobTransaction = {
      alongside: isOneStep ? (transaction, due) => queue.enqueue(due, { transaction }) : undefined,
    }
    const admission =
      all === undefined
        ? await store.close(job.id, extent, limits, options)
        : await store.submit(job, extent, all, limits, options)
    if (admission._tag === "accepted") {
      // What is not sent now is found by whoever looks for silent chunks: the job is accepted all the same.
      if (!isOneStep) await queue.enqueue(admission.due).catch(onUnsent)
      return { id: job.id, total: extent.total, isKnown: false }
    }
    if (admission._tag === "exists" && admission.isSame) {
      return { id: admission.id, total: extent.total, isKnown: true }
    }
    throw refusalOf(admission, limits)
  }
}

/** Characters that are handed to the store at once: so much is held of an upload, and no more. */
const lengthAtOnce = 262_144

const whole: ChunkSize = { operations: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }

/** Whether chunks have to wait for each other. */
class Order {
  isSequential: boolean
  private readonly request: JobRequest
  private readonly seen: BloomFilter

  constructor(request: JobRequest) {
    this.request = request
    this.isSequential = request.isSequential || request.strategy._tag === "stop-after"
    this.seen = new BloomFilter(this.isSequential ? 0 : request.expected)
  }

  note({ payload }: NewChunk): void {
    if (this.isSequential) return
    // Those of one chunk are kept in order anyway.
    const targets = new Set(this.request.targets(payload.split("\n")))
    targets.delete(undefined)
    for (const target of targets) if (this.seen.note(target!)) this.isSequential = true
  }
}

const refusalOf = (admission: Exclude<JobAcceptance, { readonly _tag: "accepted" }>, limits: JobLimits): BatchError => {
  switch (admission._tag) {
    case "exists": {
      const { code, status, message } = keyReused()
      return refuse(code, status, message, undefined)
    }
    case "full":
      return refuse("OVERLOADED", 503, `${admission.queued} operations are waiting, as many as there is room for`, 30)
    case "tenant-full":
      return refuse(
        "RATE_LIMITED",
        429,
        `${limits.jobsPerTenant} of your jobs have not ended, as many as you may have`,
        10,
      )
    case "gone":
      return gone()
  }
}

const gone = () => refuse("TIMEOUT", 408, "The upload took so long that what had come was given up", undefined)

const refuse = (code: string, status: number, detail: string, retryAfter: number | undefined) =>
  new BatchError({ reason: new PolicyRefusal({ code, status, detail, retryAfter }) })
