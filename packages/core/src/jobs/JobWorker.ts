/** Runs the chunks of jobs as a queue delivers them. */
import type { UnitOfWork } from "../execution/UnitOfWork.ts"
import { ChunkCommitter } from "./ChunkCommitter.ts"
import type { ChunkConsumer, ChunkQueue, Delivery } from "./ChunkQueue.ts"
import { giveUp } from "./ChunkResults.ts"
import * as ChunkRunner from "./ChunkRunner.ts"
import type { ChunkCommit, ChunkRef, StartedChunk } from "./Job.ts"
import type { JobEndpoint } from "./JobEndpoint.ts"
import type { JobStore } from "./JobStore.ts"
import { nestedUnitOfWork } from "./nestedUnitOfWork.ts"
import { RunningChunks } from "./RunningChunks.ts"
import { TenantTurns } from "./TenantTurns.ts"

/** Options of the worker. */
export interface JobWorkerOptions {
  readonly store: JobStore
  readonly queue: ChunkQueue
  /** The endpoints whose jobs this worker runs, by name. */
  readonly endpoints: ReadonlyMap<string, JobEndpoint>
  /** Maximum number of chunks that run at once. */
  readonly concurrency: number
  /** Number of operations that run, and whose results are kept, together. */
  readonly sliceSize: number
  /** Time for which results are kept after a job has ended, in milliseconds. */
  readonly keepMs: number
  /** Interval between two signs of life of a running chunk, in milliseconds. */
  readonly aliveMs: number
  /** Whether a chunk and its results commit in one transaction. */
  readonly exactlyOnce: boolean
  /** Share of a tenant in relation to others; undefined if all are equal. */
  readonly weightOf: ((tenant: string | undefined) => number) | undefined
  /** Called with errors, after which the worker retries. */
  readonly onError: (error: unknown) => void
}

/** Number of starts without progress after which a chunk is given up. */
const maxStarts = 5

/** Milliseconds after which a chunk makes way for a tenant that is due before. */
const turnMs = 1000

/** Milliseconds over which the redeliveries of chunks are spread whose workers died together. */
const spreadMs = 10_000

/** Milliseconds after which a chunk whose endpoint is unknown here is delivered again. */
const unknownEndpointMs = 2000

/** Time limit for the transaction of a chunk, in milliseconds: a day, because jobs have no deadline. */
const transactionMs = 86_400_000

export class JobWorker {
  private readonly options: JobWorkerOptions
  private readonly committer: ChunkCommitter
  private readonly running: RunningChunks
  private readonly turns: TenantTurns
  private consumer: ChunkConsumer | undefined
  private isStopped = false

  constructor(options: JobWorkerOptions) {
    this.options = options
    this.committer = new ChunkCommitter(options)
    this.running = new RunningChunks(options)
    this.turns = new TenantTurns(options)
  }

  /** Starts to run chunks. */
  async start(): Promise<void> {
    const { queue, concurrency, onError } = this.options
    const run = async (delivery: Delivery) => {
      if (this.isStopped) throw new Error("The worker is shutting down: another one runs the chunk")
      try {
        await this.deliver(delivery)
      } catch (error) {
        onError(error)
        throw error
      }
    }
    this.consumer = await queue.consume({ run, dead: (ref) => this.handleDead(ref) }, concurrency)
    this.running.start()
  }

  /** Starts no more chunks. Refs that are delivered from now on are left to other workers. */
  stop(): void {
    this.isStopped = true
  }

  /** Takes no more chunks and waits for running ones, at most `timeoutMs` milliseconds. Then they stop after their slice. */
  async close(timeoutMs: number): Promise<void> {
    this.stop()
    try {
      await this.consumer?.close(timeoutMs)
    } finally {
      this.running.close()
      await this.committer.close()
    }
  }

  private async deliver(delivery: Delivery): Promise<void> {
    const { endpoints, onError } = this.options
    const chunk = await this.turns.start(delivery.ref)
    if (chunk === undefined) return
    const endpoint = endpoints.get(chunk.job.endpoint)
    // After so many starts without progress, it must be the chunk that kills its workers.
    if (chunk.starts > maxStarts) {
      return this.committer.commit(chunk.hold, giveUp(chunk, endpoint?.items.encodeResult), delivery)
    }
    if (endpoint === undefined) {
      // During a rolling deployment, old servers do not have every endpoint.
      onError(
        new Error(
          `No endpoint here is named "${chunk.job.endpoint}": its jobs wait for a worker that has it. ` +
            "If it was renamed, set its earlier name as its name",
        ),
      )
      return this.committer.postpone(chunk.hold, unknownEndpointMs)
    }
    await this.running.run(chunk, (stop) => {
      const yields = this.yieldsOf(chunk)
      const options = { endpoint, sliceSize: this.options.sliceSize, stop, closing: delivery.signal, yields }
      return this.options.exactlyOnce && endpoint.unitOfWork !== undefined
        ? this.runInTransaction(chunk, endpoint.unitOfWork, options, delivery)
        : this.run(chunk, options, delivery)
    })
  }

  // Whether the chunk makes way for another tenant. A chunk that has just begun does not, so that workers do not only change over.
  private yieldsOf({ job: { tenant } }: StartedChunk): () => Promise<boolean> {
    const since = performance.now()
    return async () => performance.now() - since >= turnMs && (await this.turns.isPassed(tenant))
  }

  private async run(chunk: StartedChunk, options: RunOptions, delivery: Delivery): Promise<void> {
    const { hold } = chunk
    const run = await ChunkRunner.run(chunk, {
      ...options,
      checkpoint: (part) => this.options.store.checkpoint(hold, part),
      within: undefined,
    })
    if (run._tag === "completed") await this.committer.commit(hold, run.outcome, delivery)
    else if (run._tag === "postponed") await this.committer.postpone(hold, run.delayMs, run.waitsFor)
  }

  private async runInTransaction(
    chunk: StartedChunk,
    unitOfWork: UnitOfWork,
    options: RunOptions,
    delivery: Delivery,
  ): Promise<void> {
    const { hold } = chunk
    let run: ChunkRunner.ChunkRun | undefined
    let commit: ChunkCommit | undefined
    const outcome = await unitOfWork.run(
      async (transaction) => {
        const nested = nestedUnitOfWork(transaction, unitOfWork)
        run = await ChunkRunner.run(chunk, { ...options, checkpoint: undefined, within: nested.unitOfWork })
        if (nested.transientError() !== undefined) throw nested.transientError()
        if (run._tag !== "completed") return "rollback"
        commit = await this.committer.commitIn(transaction.handle, hold, run.outcome, delivery)
        return commit._tag === "kept" ? "commit" : "rollback"
      },
      { remainingMs: transactionMs },
    )
    if (run?._tag === "postponed") return this.committer.postpone(hold, run.delayMs, run.waitsFor)
    if (outcome !== "committed" && commit?._tag !== "refused") {
      throw new Error(`The transaction of chunk ${chunk.index} of job ${chunk.job.id} did not commit: ${outcome}`)
    }
    this.committer.enqueueDue(commit)
  }

  private async handleDead(ref: ChunkRef): Promise<void> {
    const { store, endpoints } = this.options
    const chunk = await store.start(ref)
    if (chunk === undefined) return
    // Maybe another chunk killed its workers: it is retried, at another time than the chunks that died with it.
    if (chunk.starts <= maxStarts) return this.committer.postpone(chunk.hold, Math.random() * spreadMs)
    const outcome = giveUp(chunk, endpoints.get(chunk.job.endpoint)?.items.encodeResult)
    await this.committer.commit(chunk.hold, outcome, undefined)
  }
}

type RunOptions = Omit<ChunkRunner.ChunkRunOptions, "checkpoint" | "within">
