/**
 * Who may write to the record of a batch, and when: what was added by one is what the next one adds to.
 *
 * Transactions run beside each other, but end one after another. What is written outside of them waits until none is
 * open, and while it waits none begins: a database of one connection could otherwise have a transaction wait for a
 * write that waits for its connection.
 */
import { withTimeout } from "../platform/withTimeout.ts"
import type { Timer } from "../platform/FiberClock.ts"

export class WriteOrder {
  private readonly timer: Timer
  private last: Promise<void> = Promise.resolve()
  private outside: Promise<void> | undefined = undefined
  private transactions = 0
  private emptied: (() => void) | undefined = undefined

  constructor(timer: Timer) {
    this.timer = timer
  }

  /** Waits until a transaction may begin; what it answers tells that it has ended. */
  async enter(): Promise<() => void> {
    while (this.outside !== undefined) await this.outside
    this.transactions++
    return once(() => {
      if (--this.transactions === 0) this.emptied?.()
    })
  }

  /** Waits for a turn to write, so many milliseconds; what it answers gives the turn to the next. */
  async turn(milliseconds: number): Promise<(() => void) | undefined> {
    const before = this.last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.last = before.then(() => promise)
    return this.wait(before, milliseconds, resolve)
  }

  /** As `turn`, once no transaction is open. */
  async alone(milliseconds: number): Promise<(() => void) | undefined> {
    const before = this.outside
    const { promise, resolve } = Promise.withResolvers<void>()
    const outside = promise.then(() => before)
    this.outside = outside
    const leave = once(() => {
      resolve()
      if (this.outside === outside) this.outside = undefined
    })
    const empty = async () => {
      await before
      if (this.transactions > 0) await new Promise<void>((emptied) => (this.emptied = emptied))
    }
    if ((await this.wait(empty(), milliseconds, leave)) === undefined) return undefined
    const done = await this.turn(milliseconds)
    if (done === undefined) leave()
    return done && once(() => (done(), leave()))
  }

  // Whoever gives up waiting lets the next one pass.
  private async wait(
    ready: Promise<unknown>,
    milliseconds: number,
    leave: () => void,
  ): Promise<(() => void) | undefined> {
    try {
      await withTimeout(() => ready, milliseconds, this.timer)
      return once(leave)
    } catch {
      leave()
      return undefined
    }
  }
}

const once = (run: () => void): (() => void) => {
  let over = false
  return () => {
    if (over) return
    over = true
    run()
  }
}
