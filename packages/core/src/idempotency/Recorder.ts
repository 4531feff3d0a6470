/** Settles operations outside of transactions: one call to the store at a time, and again where the store failed. */
import type { Operation } from "../batch/Operation.ts"
import type { Timer } from "../platform/FiberClock.ts"
import { withTimeout } from "../platform/withTimeout.ts"
import { answerMs, type IdempotencySettings } from "./IdempotencySettings.ts"
import type { IdempotencyTimes, SettleItem } from "./IdempotencyStore.ts"
import { Settlement, type SettlementContext } from "./Settlement.ts"
import type { WriteOrder } from "./WriteOrder.ts"

export interface RecorderOptions {
  readonly context: SettlementContext
  readonly settings: IdempotencySettings
  readonly times: IdempotencyTimes
  readonly order: WriteOrder
  readonly timer: Timer
  /** Monotonic time in milliseconds. */
  readonly now: () => number
}

/** Milliseconds between attempts to settle what the store has not confirmed. */
const retryMs = 1000

export class Recorder {
  /** Whether the store has not confirmed the last settlement. */
  hasFailed = false
  /** Whether settlements have to wait for the end of the batch, because a transaction stays open for too long. */
  isBlocked = false
  private readonly options: RecorderOptions
  /** Milliseconds in which the store has to answer. */
  private readonly timeoutMs: number

  constructor(options: RecorderOptions) {
    this.options = options
    this.timeoutMs = answerMs(options.settings)
  }

  /** Settles operations while others run. Returns false where they remain to be settled. */
  async settleGroup(operations: ReadonlyArray<Operation>): Promise<boolean> {
    const { context, settings, order } = this.options
    const isShared = context.journal !== undefined && settings.store.settleIn !== undefined
    const release = await (isShared ? order.takeExclusiveTurn(this.timeoutMs) : order.takeTurn(this.timeoutMs))
    if (release === undefined) {
      // A transaction that was given up may never end: later groups must not wait for it again.
      this.isBlocked = true
      return false
    }
    const isSettled = await this.settle(operations, false)
    release()
    return isSettled
  }

  /** Settles operations when the batch is over. */
  async settleRest(operations: ReadonlyArray<Operation>): Promise<void> {
    const release = await this.options.order.takeTurn(this.timeoutMs)
    await this.settle(operations, true)
    release?.()
  }

  /** Settles operations again and again until the store confirms them, for the length of a lease at most. */
  retry(operations: ReadonlyArray<Operation>): void {
    const { now, times } = this.options
    this.retryUntil(operations, now() + times.leaseMs)
  }

  private retryUntil(operations: ReadonlyArray<Operation>, until: number): void {
    const { now, timer } = this.options
    if (now() >= until) return
    const attempt = async () => {
      await this.settleRest(operations)
      if (this.hasFailed) this.retryUntil(operations, until)
    }
    timer(retryMs, () => void attempt())
  }

  private async settle(operations: ReadonlyArray<Operation>, isOver: boolean): Promise<boolean> {
    const { context, settings, times, timer } = this.options
    const settlement = new Settlement(context, operations, { isOver, committing: undefined })
    try {
      let items = await settlement.prepare()
      while (items.length > 0) {
        const sent = items
        // A batch that a retry may resume at once is left with a lease that is over.
        const leaseMs = isOver && this.isResumable(sent) ? 0 : times.leaseMs
        const answer = await withTimeout(
          () => settings.store.settle(sent, { ...times, leaseMs }),
          this.timeoutMs,
          timer,
        )
        items = settlement.confirm(answer)
      }
      this.hasFailed = false
    } catch {
      // The store may have applied the items. Every item may be sent again.
      this.hasFailed = true
    }
    return !this.hasFailed
  }

  private isResumable(items: ReadonlyArray<SettleItem>): boolean {
    const { journal, ledger } = this.options.context
    return journal !== undefined && items.at(-1)?.action._tag !== "complete" && !ledger.hasAmbiguous()
  }
}
