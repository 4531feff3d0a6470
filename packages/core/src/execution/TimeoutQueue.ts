/** A queue of equal timeouts: they expire in the order in which they start, so one timer serves all. */
import type { Timer } from "../platform/FiberClock.ts"

/** The timeout of a queue's entries, and its clock. */
export interface TimeoutOptions<A> {
  readonly milliseconds: number
  readonly timer: Timer
  /** Milliseconds by the clock of `timer`. */
  readonly now: () => number
  /** Called when an entry times out, unless it has ended by then. */
  readonly expire: (entry: A) => void
}

/** A queue of entries that time out unless they end before. */
export class TimeoutQueue<A extends { readonly ended: boolean; endsAt: number }> {
  private readonly options: TimeoutOptions<A>
  private entries: Array<A> = []
  private head = 0
  private cancelTimer: (() => void) | undefined = undefined

  constructor(options: TimeoutOptions<A>) {
    this.options = options
  }

  /** Starts the timeout of an entry and sets its `endsAt`. */
  add(entry: A): void {
    entry.endsAt = this.options.now() + this.options.milliseconds
    this.entries.push(entry)
    if (this.cancelTimer === undefined) this.startTimer()
  }

  /** Drops all entries and stops the timer. */
  close(): void {
    this.cancelTimer?.()
    this.entries = []
    this.head = 0
  }

  private startTimer(): void {
    while (this.entries[this.head]?.ended === true) this.head++
    const next = this.entries[this.head]
    if (next === undefined) this.cancelTimer = undefined
    else
      this.cancelTimer = this.options.timer(Math.max(0, next.endsAt - this.options.now()), () => this.expireEntries())
  }

  private expireEntries(): void {
    const now = this.options.now()
    for (let next = this.entries[this.head]; next !== undefined; next = this.entries[this.head]) {
      if (!next.ended && next.endsAt > now) break
      this.head++
      if (!next.ended) this.options.expire(next)
    }
    this.startTimer()
  }
}
