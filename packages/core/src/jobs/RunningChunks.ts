/** The chunks that a worker runs: sends their signs of life, and aborts those that must stop. */
import type { StartedChunk } from "./Job.ts"
import type { JobStore } from "./JobStore.ts"

/** Options of the running chunks. */
export interface RunningChunksOptions {
  readonly store: JobStore
  /** Interval between two signs of life of a chunk, in milliseconds. */
  readonly aliveMs: number
  /** Called with errors of the store, after which it is called again. */
  readonly onError: (error: unknown) => void
}

/** Interval between two searches for cancelled jobs, in milliseconds. */
const pollMs = 250

const jobCancelled = "The job was cancelled"
const holdLost = "Another worker runs this chunk now"

export class RunningChunks {
  private readonly options: RunningChunksOptions
  /** The id of the job of each chunk. */
  private readonly jobs = new Map<AbortController, string>()
  private polling: ReturnType<typeof setInterval> | undefined
  private isPolling = false

  constructor(options: RunningChunksOptions) {
    this.options = options
  }

  /** Starts to look for cancelled jobs. */
  start(): void {
    this.polling = setInterval(() => void this.abortCancelled(), pollMs)
  }

  /** Stops to look for cancelled jobs. */
  close(): void {
    clearInterval(this.polling)
  }

  /**
   * Runs a chunk. The signal is aborted when its job is cancelled, or when another worker has started the chunk.
   *
   * **Details** A slice may take long, or a whole chunk if it is a transaction. So signs of life are sent by a timer.
   */
  async run(chunk: StartedChunk, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const controller = new AbortController()
    if (chunk.job.isCancelled) controller.abort(jobCancelled)
    this.jobs.set(controller, chunk.job.id)
    const alive = setInterval(() => void this.keepAlive(chunk, controller), this.options.aliveMs)
    try {
      await work(controller.signal)
    } finally {
      clearInterval(alive)
      this.jobs.delete(controller)
    }
  }

  private async keepAlive({ hold }: StartedChunk, controller: AbortController): Promise<void> {
    const { store, onError } = this.options
    try {
      if (!(await store.keepAlive(hold))) controller.abort(holdLost)
    } catch (error) {
      onError(error)
    }
  }

  private async abortCancelled(): Promise<void> {
    if (this.isPolling || this.jobs.size === 0) return
    this.isPolling = true
    try {
      const cancelled = new Set(await this.options.store.cancelled([...new Set(this.jobs.values())]))
      for (const [controller, id] of this.jobs) if (cancelled.has(id)) controller.abort(jobCancelled)
    } catch (error) {
      this.options.onError(error)
    } finally {
      this.isPolling = false
    }
  }
}
