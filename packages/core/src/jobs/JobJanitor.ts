/** Looks after jobs that nobody else looks after: chunks that fell silent, and results whose time is over. */
import type { ChunkQueue } from "./ChunkQueue.ts"
import type { JobStore } from "./JobStore.ts"

export interface JobJanitorOptions {
  readonly store: JobStore
  readonly queue: ChunkQueue
  /** Milliseconds after which a chunk of which nothing was heard is sent again. */
  readonly silentMs: number
  /** Milliseconds between two looks at silent chunks. */
  readonly lookMs: number
  /** Milliseconds between two sweeps of what is over. */
  readonly sweepMs: number
  /** Milliseconds for which it is remembered that a job was there. */
  readonly tombstoneMs: number
  readonly onError: (error: unknown) => void
}

const chunksAtOnce = 100
const jobsAtOnce = 100
const forgottenAtOnce = 100_000

export class JobJanitor {
  private readonly options: JobJanitorOptions
  private readonly timers = new Set<ReturnType<typeof setTimeout>>()
  private isClosed = false
  private readonly working = new Set<Promise<void>>()

  constructor(options: JobJanitorOptions) {
    this.options = options
  }

  /** Begins. What a queue forgot when its process ended is sent again at once. */
  async start(): Promise<void> {
    const { queue, lookMs, sweepMs } = this.options
    if (queue.isVolatile) {
      const refs = await this.options.store.overdue(0, forgottenAtOnce)
      // Those of jobs that came in since this process began are there already.
      await queue.forget(refs.map((ref) => ({ ...ref, dispatch: ref.dispatch - 1 })))
      await queue.enqueue(refs)
    }
    // A start that is tried again, because the worker's failed, must not look twice as often.
    if (this.timers.size > 0) return
    this.every(lookMs, () => this.resend())
    this.every(sweepMs, () => this.sweep())
  }

  /** Sends anew what is overdue, now. */
  async look(): Promise<void> {
    if (!this.isClosed) await this.once(() => this.resend())
  }

  /** Ends, when what it is at has ended. */
  async close(): Promise<void> {
    this.isClosed = true
    for (const timer of this.timers) clearTimeout(timer)
    await Promise.all(this.working)
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
    while (!this.isClosed && (await store.sweep(jobsAtOnce, tombstoneMs)) >= jobsAtOnce) continue
  }

  // Servers that were started together must not look together.
  private every(milliseconds: number, work: () => Promise<void>): void {
    if (this.isClosed) return
    const timer = setTimeout(
      () => {
        this.timers.delete(timer)
        void this.once(work).then(() => this.every(milliseconds, work))
      },
      milliseconds * (0.75 + Math.random() / 2),
    )
    // It must not keep a process alive that has nothing else to do.
    ;(timer as { readonly unref?: () => void }).unref?.()
    this.timers.add(timer)
  }

  private once(work: () => Promise<void>): Promise<void> {
    const working = work()
      .catch(this.options.onError)
      .finally(() => this.working.delete(working))
    this.working.add(working)
    return working
  }
}
