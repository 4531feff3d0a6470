/** Ends a worker's hold on a chunk: commits or postpones it, and enqueues the chunks that are due next. */
import type { ChunkQueue, Delivery } from "./ChunkQueue.ts"
import type { ChunkCommit, ChunkHold, ChunkOutcome, ChunkRef, JobWait } from "./Job.ts"
import type { JobStore, JobTransaction } from "./JobStore.ts"
import { pause } from "./pause.ts"

/** Options of the committer. */
export interface ChunkCommitterOptions {
  readonly store: JobStore
  readonly queue: ChunkQueue
  /** Time for which results are kept after a job has ended, in milliseconds. */
  readonly keepMs: number
  /** Called with errors, after which the committer retries or continues. */
  readonly onError: (error: unknown) => void
}

/** Maximum number of attempts to enqueue chunks, and the milliseconds between them. */
const enqueueAttempts = 30
const enqueueRetryMs = 1000

export class ChunkCommitter {
  private readonly options: ChunkCommitterOptions
  private readonly enqueuing = new Set<Promise<void>>()
  private readonly closing = new AbortController()

  constructor(options: ChunkCommitterOptions) {
    this.options = options
  }

  /** Commits the results of a chunk, and enqueues what is due next. */
  async commit(hold: ChunkHold, outcome: ChunkOutcome, delivery: Delivery | undefined): Promise<void> {
    this.enqueueDue(await this.commitIn(undefined, hold, outcome, delivery))
  }

  /** Commits inside an open transaction. Call `enqueueDue` when the transaction has committed. */
  commitIn(
    transaction: unknown,
    hold: ChunkHold,
    outcome: ChunkOutcome,
    delivery: Delivery | undefined,
  ): Promise<ChunkCommit> {
    const { store, queue, keepMs } = this.options
    const options: JobTransaction = {
      ...(transaction !== undefined && { transaction }),
      alongside: this.isTransactional
        ? async (handle, due) => {
            await Promise.all([queue.enqueue(due, { transaction: handle }), delivery?.complete?.(handle)])
          }
        : undefined,
    }
    return store.commit(hold, outcome, keepMs, options)
  }

  /** Enqueues what is due next, without waiting for it: the chunk has ended. */
  enqueueDue(commit: ChunkCommit | undefined): void {
    if (commit?._tag !== "kept" || this.isTransactional || commit.due.length === 0) return
    const enqueuing = this.enqueue(commit.due)
    this.enqueuing.add(enqueuing)
    void enqueuing.finally(() => this.enqueuing.delete(enqueuing))
  }

  /** Postpones a chunk. `waitsFor` is what it waits for, as clients see it. */
  async postpone(hold: ChunkHold, delayMs: number, waitsFor?: JobWait["for"]): Promise<void> {
    const { store, queue, onError } = this.options
    const ref = await store.postpone(hold, delayMs, undefined, waitsFor)
    if (ref !== undefined) await queue.enqueue([ref], { delayMs }).catch(onError)
  }

  /** Waits for attempts to enqueue, which are not retried any more. */
  async close(): Promise<void> {
    this.closing.abort()
    await Promise.all(this.enqueuing)
  }

  // A chunk that is not enqueued is found as overdue, but only after half a minute.
  private async enqueue(refs: ReadonlyArray<ChunkRef>): Promise<void> {
    const { queue, onError } = this.options
    const { signal } = this.closing
    for (let attempt = 1; ; attempt++) {
      try {
        return await queue.enqueue(refs)
      } catch (error) {
        if (attempt === 1) onError(error)
        if (signal.aborted || attempt === enqueueAttempts) return
        await pause(enqueueRetryMs, signal)
      }
    }
  }

  private get isTransactional(): boolean {
    return this.options.store.isTransactional && this.options.queue.isTransactional
  }
}
