/** Runs the chunks of jobs as a queue delivers them, and tells the store what became of them. */
import type { ChunkCommit, ChunkOutcome, ChunkRef, StartedChunk } from "./Job.ts"
import type { ChunkConsumer, ChunkQueue, Delivery } from "./ChunkQueue.ts"
import type { JobStore, JobTransaction } from "./JobStore.ts"
import * as ChunkRunner from "./ChunkRunner.ts"
import type { JobEndpoint } from "./JobEndpoint.ts"
import { nestedUnitOfWork } from "./nestedUnitOfWork.ts"

export interface JobWorkerOptions {
  readonly store: JobStore
  readonly queue: ChunkQueue
  /** The endpoints whose jobs this worker runs, by name. */
  readonly endpoints: ReadonlyMap<string, JobEndpoint>
  /** Chunks at once. */
  readonly concurrency: number
  /** Operations that are run and kept together. */
  readonly sliceSize: number
  /** Milliseconds for which results are kept after a job has ended. */
  readonly keepMs: number
  /** Milliseconds between two signs of life of a chunk that runs. */
  readonly aliveMs: number
  /** Whether a chunk and its results commit in one transaction. */
  readonly exactlyOnce: boolean
  /** Told of what fails and is tried again. */
  readonly onError: (error: unknown) => void
}

/** Milliseconds between two questions whether jobs were cancelled. */
const askMs = 250

/** Starts after which a chunk that never got anywhere is given up. */
const mostStarts = 5

/** Milliseconds over which chunks are spread that died together. */
const apartMs = 10_000

/** Milliseconds after which a chunk whose endpoint is not known here is tried again. */
const unknownMs = 2000

/** Attempts to send a chunk that is due, and milliseconds between them. */
const mostSends = 30
const sendAgainMs = 1000

/** Why running operations of a job are told to stop. */
const cancelledWords = "The job was cancelled"
const takenWords = "Another worker runs this by now"

export class JobWorker {
  private readonly options: JobWorkerOptions
  private readonly running = new Map<AbortController, string>()
  private readonly sending = new Set<Promise<void>>()
  private consumer: ChunkConsumer | undefined
  private asking: ReturnType<typeof setInterval> | undefined
  private isAsking = false
  private isClosing = false

  constructor(options: JobWorkerOptions) {
    this.options = options
  }

  /** Begins to run chunks. */
  async start(): Promise<void> {
    const { queue, concurrency } = this.options
    const run = async (delivery: Delivery) => {
      try {
        await this.deliver(delivery)
      } catch (error) {
        this.options.onError(error)
        throw error
      }
    }
    this.consumer = await queue.consume({ run, dead: (ref) => this.bury(ref) }, concurrency)
    this.asking = setInterval(() => void this.askForCancelled(), askMs)
  }

  /** Takes no more chunks, and waits for those that run, so long; then they stop at the end of their slice. */
  async close(timeoutMs: number): Promise<void> {
    try {
      await this.consumer?.close(timeoutMs)
    } finally {
      this.isClosing = true
      clearInterval(this.asking)
      await Promise.all(this.sending)
    }
  }

  private async deliver(delivery: Delivery): Promise<void> {
    const { store, endpoints } = this.options
    const chunk = await store.start(delivery.ref)
    if (chunk === undefined) return
    const endpoint = endpoints.get(chunk.job.endpoint)
    // Without a word from earlier starts, and nothing kept, it must be the chunk that ends its workers.
    if (chunk.starts > mostStarts) return this.keep(chunk, ChunkRunner.bury(chunk, endpoint), delivery)
    if (endpoint === undefined) {
      // While servers are replaced by newer ones, there are some that do not know every endpoint.
      this.options.onError(
        new Error(`No endpoint here is named "${chunk.job.endpoint}": its jobs wait for a worker that has it`),
      )
      return this.postpone(chunk, { _tag: "later", delayMs: unknownMs })
    }
    const controller = new AbortController()
    if (chunk.job.isCancelled) controller.abort(cancelledWords)
    this.running.set(controller, chunk.job.id)
    // A slice may take long, and one that is a transaction as long as its chunk: it must not be thought dead.
    const signs = setInterval(() => void this.keepAlive(chunk, controller), this.options.aliveMs)
    try {
      await this.runChunk(chunk, endpoint, controller.signal, delivery)
    } finally {
      clearInterval(signs)
      this.running.delete(controller)
    }
  }

  private async keepAlive({ hold }: StartedChunk, controller: AbortController): Promise<void> {
    const { store, onError } = this.options
    try {
      if (!(await store.keepAlive(hold))) controller.abort(takenWords)
    } catch (error) {
      onError(error)
    }
  }

  private async runChunk(
    chunk: StartedChunk,
    endpoint: JobEndpoint,
    cancelled: AbortSignal,
    delivery: Delivery,
  ): Promise<void> {
    const { store, sliceSize, exactlyOnce } = this.options
    const options = { endpoint, sliceSize, cancelled, leaving: delivery.signal }
    const { unitOfWork } = endpoint
    if (exactlyOnce && unitOfWork !== undefined) {
      let later: ChunkRunner.ChunkEnd | undefined
      let commit: ChunkCommit | undefined
      const outcome = await unitOfWork.run(
        async (transaction) => {
          const nested = nestedUnitOfWork(transaction, unitOfWork)
          const end = await ChunkRunner.run(chunk, { ...options, keep: undefined, within: nested.unitOfWork })
          if (nested.broken() !== undefined) throw nested.broken()
          later = end._tag === "done" ? undefined : end
          if (end._tag !== "done") return "rollback"
          commit = await this.commit(chunk, end.outcome, delivery, transaction.handle)
          return commit._tag === "kept" ? "commit" : "rollback"
        },
        { remainingMs: transactionMs },
      )
      if (later !== undefined) return this.postpone(chunk, later)
      if (outcome !== "committed" && commit?._tag !== "refused") {
        throw new Error(`The transaction of chunk ${chunk.index} of job ${chunk.job.id} ended as: ${outcome}`)
      }
      return this.goOn(commit)
    }
    const keep = (part: Parameters<JobStore["checkpoint"]>[1]) => store.checkpoint(chunk.hold, part)
    const end = await ChunkRunner.run(chunk, { ...options, keep, within: undefined })
    if (end._tag === "done") await this.keep(chunk, end.outcome, delivery)
    else await this.postpone(chunk, end)
  }

  private async keep(chunk: StartedChunk, outcome: ChunkOutcome, delivery: Delivery | undefined): Promise<void> {
    this.goOn(await this.commit(chunk, outcome, delivery, undefined))
  }

  private commit(
    { hold }: StartedChunk,
    outcome: ChunkOutcome,
    delivery: Delivery | undefined,
    transaction: unknown,
  ): Promise<ChunkCommit> {
    const { store, keepMs } = this.options
    const options: JobTransaction = {
      ...(transaction !== undefined && { transaction }),
      alongside: this.isOneStep
        ? async (inside, due) => {
            await Promise.all([this.options.queue.enqueue(due, { transaction: inside }), delivery?.complete?.(inside)])
          }
        : undefined,
    }
    return store.commit(hold, outcome, keepMs, options)
  }

  // The chunk has ended, so nothing waits for the next one to be sent.
  private goOn(commit: ChunkCommit | undefined): void {
    if (commit?._tag !== "kept" || this.isOneStep || commit.due.length === 0) return
    const sending = this.send(commit.due)
    this.sending.add(sending)
    void sending.finally(() => this.sending.delete(sending))
  }

  // What is lost between the store and the queue is found by whoever looks for silent chunks, but not before half a minute.
  private async send(refs: ReadonlyArray<ChunkRef>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.options.queue.enqueue(refs)
      } catch (error) {
        if (attempt === 1) this.options.onError(error)
        if (this.isClosing || attempt === mostSends) return
        await new Promise((resolve) => setTimeout(resolve, sendAgainMs))
      }
    }
  }

  private async postpone({ hold }: StartedChunk, end: ChunkRunner.ChunkEnd): Promise<void> {
    if (end._tag !== "later") return
    const { store, queue, onError } = this.options
    const ref = await store.postpone(hold, end.delayMs)
    if (ref !== undefined) await queue.enqueue([ref], { delayMs: end.delayMs }).catch(onError)
  }

  private async bury(ref: ChunkRef): Promise<void> {
    const { store, endpoints } = this.options
    const chunk = await store.start(ref)
    if (chunk === undefined) return
    // It may have died with whatever ended its workers: it is tried again, apart from the others that did.
    if (chunk.starts <= mostStarts) return this.postpone(chunk, { _tag: "later", delayMs: Math.random() * apartMs })
    await this.keep(chunk, ChunkRunner.bury(chunk, endpoints.get(chunk.job.endpoint)), undefined)
  }

  private get isOneStep(): boolean {
    return this.options.store.isTransactional && this.options.queue.isTransactional
  }

  private async askForCancelled(): Promise<void> {
    if (this.isAsking || this.running.size === 0) return
    this.isAsking = true
    try {
      const cancelled = new Set(await this.options.store.cancelled([...new Set(this.running.values())]))
      for (const [controller, id] of this.running) if (cancelled.has(id)) controller.abort(cancelledWords)
    } catch (error) {
      this.options.onError(error)
    } finally {
      this.isAsking = false
    }
  }
}

/** Milliseconds that the transaction of a chunk may take: a day, since jobs have no deadline. */
const transactionMs = 86_400_000
