/** Sends silent chunks again, and deletes expired jobs. */
import type { ChunkQueue } from "./ChunkQueue.ts"
import type { JobStore } from "./JobStore.ts"
import { pause } from "./pause.ts"

/** Options of the janitor. Intervals vary by 25 %, so that servers that start together do not work together. */
export interface JobJanitorOptions {
  readonly store: JobStore
  readonly queue: ChunkQueue
  /** Milliseconds without a sign of life after which a chunk is sent again. */
  readonly silentMs: number
  /** Interval between two searches for silent chunks, in milliseconds. */
  readonly resendMs: number
  /** Interval between two sweeps of expired jobs, in milliseconds. */
  readonly sweepMs: number
  /** Milliseconds for which the store remembers that an expired job existed. */
  readonly tombstoneMs: number
  /** Called with errors, after which the janitor continues. */
  readonly onError: (error: unknown) => void
}

const chunksAtOnce = 100
const jobsAtOnce = 20
/** Maximum number of chunks that are sent again when a process with a volatile queue starts. */
const lostChunks = 100_000

export class JobJanitor {
  private readonly options: JobJanitorOptions
  private readonly timers = new Set<ReturnType<typeof setTimeout>>()
  private readonly closing = new AbortController()
  private readonly working = new Set<Promise<void>>()

  constructor(options: JobJanitorOptions) {
    this.options = options
  }

  /** Starts. What a volatile queue has lost with its process is sent again at once. */
  async start(): Promise<void> {
    const { store, queue, resendMs, sweepMs } = this.options
    if (queue.isVolatile) {
      const refs = await store.overdue(0, lostChunks)
      // The chunks of jobs that were submitted since this process started are in the queue, under their earlier dispatch.
      await queue.forget(refs.map((ref) => ({ ...ref, dispatch: ref.dispatch - 1 })))
      await queue.enqueue(refs)
    }
    // When a start is retried because the worker failed to start, the timers are running.
    if (this.timers.size > 0) return
    this.every(resendMs, () => this.resend())
    this.every(sweepMs, () => this.sweep())
  }

  /** Sends silent chunks again, now. */
  async resendNow(): Promise<void> {
    if (!this.isClosed) await this.track(() => this.resend())
  }

  /** Stops, and waits for running work. */
  async close(): Promise<void> {
    this.closing.abort()
    for (const timer of this.timers) clearTimeout(timer)
    await Promise.all(this.working)
  }

  private get isClosed(): boolean {
    return this.closing.signal.aborted
  }

  private async resend(): Promise<void> {
    const { store, queue, silentMs } = this.options
    while (!this.isClosed) {
      const refs = await store.overdue(silentMs, chunksAtOnce)
      if (refs.length > 0) await queue.enqueue(refs)
      if (refs.length < chunksAtOnce) return
    }
  }

  private async sweep(): Promise<void> {
    const { store, tombstoneMs } = this.options
    // It goes on for as long as there are expired jobs, in small steps with pauses as long as a step.
    while (!this.isClosed) {
      const start = performance.now()
      if ((await store.sweep(jobsAtOnce, tombstoneMs)) < jobsAtOnce) return
      await pause(performance.now() - start, this.closing.signal)
    }
  }

  private every(milliseconds: number, work: () => Promise<void>): void {
    if (this.isClosed) return
    const timer = setTimeout(
      () => {
        this.timers.delete(timer)
        void this.track(work).then(() => this.every(milliseconds, work))
      },
      milliseconds * (0.75 + Math.random() / 2),
    )
    // The timer must not keep the process alive.
    ;(timer as { readonly unref?: () => void }).unref?.()
    this.timers.add(timer)
  }

  private track(work: () => Promise<void>): Promise<void> {
    const working = work()
      .catch(this.options.onError)
      .finally(() => this.working.delete(working))
    this.working.add(working)
    return working
  }
}
