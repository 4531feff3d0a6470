/** Extends the lease of a batch's claims while its operations run, and knows until when the lease certainly lasts. */
import type { Timer } from "../platform/FiberClock.ts"

export interface HeartbeatOptions {
  readonly leaseMs: number
  readonly timer: Timer
  /** Monotonic time in milliseconds. */
  readonly now: () => number
  /** When the claims were requested, by `now`. */
  readonly requestedAt: number
  /** Extends the lease of all claims. Rejects where it is not known whether the store extended them. */
  readonly extend: () => Promise<void>
}

/** The part of a lease that is relied on, since the store's clock may run faster than that of this process. */
const reliablePart = 0.7

export class Heartbeat {
  private readonly options: HeartbeatOptions
  private aliveUntil: number
  private isStopped = false
  private cancelTimer: () => void

  constructor(options: HeartbeatOptions) {
    this.options = options
    this.aliveUntil = options.requestedAt + reliablePart * options.leaseMs
    this.cancelTimer = this.schedule()
  }

  /** Whether the lease certainly lasts, by the clock of this process. */
  get isAlive(): boolean {
    return this.options.now() < this.aliveUntil
  }

  stop(): void {
    this.isStopped = true
    this.cancelTimer()
  }

  private schedule(): () => void {
    return this.options.timer(this.options.leaseMs / 3, () => void this.beat())
  }

  private async beat(): Promise<void> {
    const { now, leaseMs, extend } = this.options
    const sentAt = now()
    try {
      await extend()
      this.aliveUntil = sentAt + reliablePart * leaseMs
    } catch {
      // The next beat may succeed. Until then the lease runs down.
    }
    if (!this.isStopped) this.cancelTimer = this.schedule()
  }
}
