/** Buffers operations that have ended, and decides when they are settled together. */
import type { Operation } from "../batch/Operation.ts"
import type { Timer } from "../platform/FiberClock.ts"

export interface SettleBufferOptions {
  readonly timer: Timer
  /** Monotonic time in milliseconds. */
  readonly now: () => number
  /** Settles what is in the buffer. */
  readonly flush: () => void
}

/** Number of operations that flushes the buffer. */
const maxSize = 25
/** Milliseconds that an operation waits in the buffer for others. */
const maxWaitMs = 50
/** Milliseconds without an operation that ends, after which the next one hardly has company within `maxWaitMs`. */
const lullMs = 25
/** Milliseconds that an operation waits after a lull, for those that started with it and end with it. */
const maxWaitAfterLullMs = 3

/**
 * **Details** A crash makes a retry run the buffered operations again, so the wait is short, and shorter still for
 * operations that end one at a time and would wait in vain.
 */
export class SettleBuffer {
  private readonly options: SettleBufferOptions
  private buffered: Array<Operation> = []
  private lastEndAt: number
  private cancelTimer: (() => void) | undefined = undefined

  constructor(options: SettleBufferOptions) {
    this.options = options
    this.lastEndAt = options.now()
  }

  /** Adds operations that have just ended together, and flushes the buffer now or soon. */
  add(operations: ReadonlyArray<Operation>): void {
    const now = this.options.now()
    const isAfterLull = now - this.lastEndAt >= lullMs
    this.lastEndAt = now
    if (operations.length === 0) return
    this.buffered.push(...operations)
    if (operations.length > 1 || this.buffered.length >= maxSize) this.options.flush()
    else this.cancelTimer ??= this.options.timer(isAfterLull ? maxWaitAfterLullMs : maxWaitMs, this.options.flush)
  }

  /** Adds operations without flushing the buffer. */
  keep(operations: ReadonlyArray<Operation>): void {
    this.buffered.push(...operations)
  }

  /** Empties the buffer. */
  take(): ReadonlyArray<Operation> {
    this.cancelTimer?.()
    this.cancelTimer = undefined
    const taken = this.buffered
    this.buffered = []
    return taken
  }
}
