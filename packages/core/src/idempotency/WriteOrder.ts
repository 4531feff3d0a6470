/**
 * Orders the writes to the record of a batch, each of which continues where the previous one ended.
 *
 * **Details** Transactions run side by side, and write one after another before they commit. A write outside of
 * transactions waits until none is open, and no transaction begins while it waits or writes. Otherwise a database with a
 * single connection would deadlock: the transaction waits for the write, and the write for the transaction's connection.
 */
import { withTimeout } from "../platform/withTimeout.ts"
import type { Timer } from "../platform/FiberClock.ts"

/** Gives a turn to the next in line. Further calls do nothing. */
export type Release = () => void

export class WriteOrder {
  private readonly timer: Timer
  /** Ends with the last turn in line. */
  private lastTurn: Promise<void> = Promise.resolve()
  /** Ends with the last write in line that excludes transactions. */
  private lastExclusive: Promise<void> | undefined = undefined
  private openTransactions = 0
  private onNoTransaction: (() => void) | undefined = undefined

  constructor(timer: Timer) {
    this.timer = timer
  }

  /** Waits until a transaction may begin. Call the returned function when it has ended. */
  async beginTransaction(): Promise<Release> {
    while (this.lastExclusive !== undefined) await this.lastExclusive
    this.openTransactions++
    return once(() => {
      if (--this.openTransactions === 0) this.onNoTransaction?.()
    })
  }

  /** Waits for a turn to write, at most `timeoutMs`; undefined where that was not enough. */
  async takeTurn(timeoutMs: number): Promise<Release | undefined> {
    const previous = this.lastTurn
    const { promise, resolve } = Promise.withResolvers<void>()
    this.lastTurn = previous.then(() => promise)
    return this.waitFor(previous, timeoutMs, resolve)
  }

  /** Waits until no transaction is open, and then for a turn, each at most `timeoutMs`; undefined where that was not enough. */
  async takeExclusiveTurn(timeoutMs: number): Promise<Release | undefined> {
    const previous = this.lastExclusive
    const { promise, resolve } = Promise.withResolvers<void>()
    const exclusive = promise.then(() => previous)
    this.lastExclusive = exclusive
    const endExclusive = once(() => {
      resolve()
      if (this.lastExclusive === exclusive) this.lastExclusive = undefined
    })
    const noTransaction = async () => {
      await previous
      if (this.openTransactions > 0) await new Promise<void>((resolve) => (this.onNoTransaction = resolve))
    }
    if ((await this.waitFor(noTransaction(), timeoutMs, endExclusive)) === undefined) return undefined
    const endTurn = await this.takeTurn(timeoutMs)
    if (endTurn === undefined) endExclusive()
    return (
      endTurn &&
      once(() => {
        endTurn()
        endExclusive()
      })
    )
  }

  // A write that times out gives its turn to the next one.
  private async waitFor(ready: Promise<unknown>, timeoutMs: number, release: Release): Promise<Release | undefined> {
    try {
      await withTimeout(() => ready, timeoutMs, this.timer)
      return once(release)
    } catch {
      release()
      return undefined
    }
  }
}

const once = (run: () => void): (() => void) => {
  let hasRun = false
  return () => {
    if (hasRun) return
    hasRun = true
    run()
  }
}
