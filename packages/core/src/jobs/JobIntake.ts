/** Accepts batches as jobs: cuts them into chunks and stores the chunks as they arrive. */
import { BatchError } from "../batch/BatchError.ts"
import type { Strategy } from "../batch/Strategy.ts"
import type { Line } from "../http/readNdjson.ts"
import { randomId } from "../platform/randomId.ts"
import { ChunkCutter, type ChunkSize } from "./ChunkCutter.ts"
import { ChunkOrder } from "./ChunkOrder.ts"
import { writeLine } from "./ChunkPayload.ts"
import type { NewChunk, NewJob } from "./Job.ts"
import * as JobSpec from "./JobSpec.ts"
import { type AcceptedJob, JobUpload, type JobUploadOptions } from "./JobUpload.ts"

/** Options of the intake. */
export interface JobIntakeOptions extends JobUploadOptions {
  readonly chunk: ChunkSize
  /** Maximum number of chunks of one job in the queue. */
  readonly window: number
  /** Time until a job that does not end is dropped, in milliseconds. */
  readonly lifeMs: number
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
    const upload = new JobUpload(
      job,
      await digest(`multistatus job 1:${request.endpoint}:${job.settings}`),
      this.options,
    )
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

const unlimited: ChunkSize = { operations: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }
