/** Timeouts of calls that all may take equally long: they end in the order they began in, so one timer serves all. */
import type { Timer } from "../platform/FiberClock.ts"

export interface TimeoutOptions<A> {
  readonly milliseconds: number
  readonly timer: Timer
  /** Milliseconds, by the clock that `timer` goes by. */
  readonly now: () => number
  /** Called for an entry whose time is over, unless it is itself `over` by then. */
  readonly expire: (entry: A) => void
}

export class TimeoutQueue<A extends { readonly over: boolean; endsAt: number }> {
  private readonly options: TimeoutOptions<A>
  private entries: Array<A> = []
  private head = 0
  private cancel: (() => void) | undefined = undefined

  constructor(options: TimeoutOptions<A>) {
    this.options = options
  }

  /** Watches an entry that begins now, and sets when it ends. */
  add(entry: A): void {
    entry.endsAt = this.options.now() + this.options.milliseconds
    this.entries.push(entry)
    if (this.cancel === undefined) this.arm()
  }

  /** Stops watching. */
  close(): void {
    this.cancel?.()
    this.entries = []
    this.head = 0
  }

  private arm(): void {
    while (this.entries[this.head]?.over === true) this.head++
    const next = this.entries[this.head]
    if (next === undefined) this.cancel = undefined
    else this.cancel = this.options.timer(Math.max(0, next.endsAt - this.options.now()), () => this.fire())
  }

  private fire(): void {
    const now = this.options.now()
    for (let next = this.entries[this.head]; next !== undefined; next = this.entries[this.head]) {
      if (!next.over && next.endsAt > now) break
      this.head++
      if (!next.over) this.options.expire(next)
    }
    this.arm()
  }
}
