/** Keeps claims alive while their operations run, and knows until when they surely are. */
import type { Timer } from "../platform/FiberClock.ts"

export interface HeartbeatOptions {
  readonly leaseMs: number
  readonly timer: Timer
  /** Milliseconds, steadily rising. */
  readonly now: () => number
  /** When the claims were asked for. */
  readonly askedAt: number
  /** Extends the lease of all claims; rejects where it could not be found out whether that was done. */
  readonly extend: () => Promise<void>
}

/** The part of a lease that is counted on: the store's clock may run a little faster than this process' own. */
const sure = 0.7

export class Heartbeat {
  private readonly options: HeartbeatOptions
  private aliveUntil: number
  private stopped = false
  private stopTimer: () => void

  constructor(options: HeartbeatOptions) {
    this.options = options
    this.aliveUntil = options.askedAt + sure * options.leaseMs
    this.stopTimer = this.schedule()
  }

  /** Whether, by this process' own clock, the lease is surely not over. */
  get isAlive(): boolean {
    return this.options.now() < this.aliveUntil
  }

  stop(): void {
    this.stopped = true
    this.stopTimer()
  }

  private schedule(): () => void {
    return this.options.timer(this.options.leaseMs / 3, () => void this.beat())
  }

  private async beat(): Promise<void> {
    const { now, leaseMs, extend } = this.options
    const sentAt = now()
    try {
      await extend()
      this.aliveUntil = sentAt + sure * leaseMs
    } catch {
      // The next one may get through; until then time runs.
    }
    if (!this.stopped) this.stopTimer = this.schedule()
  }
}
