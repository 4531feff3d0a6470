/**
 * The claims of one batch that runs: settles what has ended, a commit group at a time, and keeps the others alive.
 */
import { failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { IdempotencyTimes, SettleItem } from "./IdempotencyStore.ts"
import type { TransactionOutcome, UnitOfWork } from "../execution/UnitOfWork.ts"
import { OutcomeLedger } from "./OutcomeLedger.ts"
import type { ExecutionHooks } from "../execution/ExecutionHooks.ts"
import { Heartbeat } from "./Heartbeat.ts"
import { answerMs } from "./IdempotencySettings.ts"
import { withTimeout } from "../platform/withTimeout.ts"
import { Settlement, type SettlementOptions } from "./Settlement.ts"
import type { Timer } from "../platform/FiberClock.ts"
import { WriteOrder } from "./WriteOrder.ts"

export interface ClaimsOptions extends Omit<SettlementOptions, "endings"> {
  readonly times: IdempotencyTimes
  readonly timer: Timer
  /** Milliseconds, steadily rising. */
  readonly now: () => number
  /** When the claims were asked for, by `now`. */
  readonly askedAt: number
}

/** Operations that settle in one call, where each is run apart. */
const groupSize = 25
/** Milliseconds that an operation that has ended waits for others to settle with. */
const groupMs = 50
/** Milliseconds without an end after which there is hardly another one to be expected within the time of a group. */
const lullMs = 25
/** Milliseconds that an operation waits after a lull: for those that began with it and end with it. */
const afterLullMs = 3
/** Milliseconds between attempts to record what could not be recorded. */
const retryMs = 1000

export class Claims implements ExecutionHooks {
  private readonly options: ClaimsOptions
  private readonly endings: OutcomeLedger
  private readonly settlement: Settlement
  private readonly order: WriteOrder
  private readonly heartbeat: Heartbeat
  /** Milliseconds in which the store has to answer. */
  private readonly answerMs: number
  private readonly running: Set<Operation>
  private waiting: Array<Operation> = []
  private stopFlush: (() => void) | undefined = undefined
  private lastEndAt: number
  private isCrowded = false
  private isUntold = false
  private finished = false

  constructor(options: ClaimsOptions) {
    const { operations, settings, times, timer, now, askedAt } = options
    this.options = options
    this.lastEndAt = now()
    this.answerMs = answerMs(settings)
    this.endings = new OutcomeLedger(operations, settings)
    this.settlement = new Settlement({ ...options, endings: this.endings })
    this.running = new Set(
      operations.filter(({ result, duplicateOf }) => result === undefined && duplicateOf === undefined),
    )
    this.order = new WriteOrder(timer)
    const extend = () =>
      this.settlement.extend((items) => withTimeout(() => settings.store.settle(items, times), this.answerMs, timer))
    this.heartbeat = new Heartbeat({ leaseMs: times.leaseMs, timer, now, askedAt, extend })
  }

  /** Whether the store could not be told of results. */
  get unrecorded(): boolean {
    return this.isUntold || this.endings.unencodable.size > 0
  }

  /** Refuses operations whose claims may be over: claimed operations begin only while the lease surely holds. */
  refuse(operations: ReadonlyArray<Operation>): OperationResult | undefined {
    if (!this.settlement.lost && this.heartbeat.isAlive) return undefined
    return operations.some((operation) => this.settlement.holds(operation)) ? taken() : undefined
  }

  /**
   * Notes operations that have ended; they are settled soon, many at once.
   *
   * **Details** Until then a crash makes a retry run them again. So operations that end one by one, and would have to wait
   * for company in vain, do not wait.
   */
  ended(operations: ReadonlyArray<Operation>): void {
    const now = this.options.now()
    const isAfterLull = now - this.lastEndAt >= lullMs
    this.lastEndAt = now
    // Those that settled within a transaction are not waited with again.
    for (const operation of operations) if (this.running.delete(operation)) this.waiting.push(operation)
    // What is left at the end is settled by `finish`, together with the batch itself.
    if (this.running.size === 0 || this.finished) return
    if (operations.length > 1 || this.waiting.length >= groupSize) this.flush()
    else this.stopFlush ??= this.options.timer(isAfterLull ? afterLullMs : groupMs, () => this.flush())
  }

  /**
   * A unit of work whose transactions store the results of these operations before they commit, where the store can do
   * that, and do not commit when the claims were lost meanwhile: whoever took them over is at work on the same. What
   * became of operations of a transaction that did not commit is never stored; nor is it of `members`, which are undone
   * with them.
   */
  fence(
    unitOfWork: UnitOfWork,
    operations: ReadonlyArray<Operation>,
    members: ReadonlyArray<Operation> = operations,
  ): UnitOfWork {
    const run: UnitOfWork["run"] = async (work, options) => {
      this.endings.begin(operations)
      const leave = this.settlesInside ? await this.order.enter() : () => {}
      let outcome: TransactionOutcome = "rolled-back"
      try {
        outcome = await this.attempt(unitOfWork, operations, work, options)
        return outcome
      } finally {
        leave()
        if (outcome !== "committed" && outcome !== "unknown") this.abandon(operations, members)
      }
    }
    return { ...unitOfWork, run }
  }

  /** Settles what is left; every operation has its result. Afterwards nothing is kept alive any more. */
  async finish(): Promise<void> {
    this.stopFlush?.()
    this.finished = true
    this.heartbeat.stop()
    const left = [...new Set([...this.waiting, ...this.settlement.left])]
    this.waiting = []
    await this.settleInTurn(left)
    if (this.isUntold) this.retryLater(left, this.options.now() + this.options.times.leaseMs)
  }

  private get settlesInside(): boolean {
    return this.options.settings.store.settleIn !== undefined
  }

  private async attempt(
    unitOfWork: UnitOfWork,
    operations: ReadonlyArray<Operation>,
    ...[work, options]: Parameters<UnitOfWork["run"]>
  ): Promise<TransactionOutcome> {
    const last: { ending: Ending | undefined } = { ending: undefined }
    try {
      const outcome = await unitOfWork.run(async (transaction) => {
        // An earlier attempt came to nothing.
        last.ending?.undo()
        last.ending = undefined
        if ((await work(transaction)) === "rollback") return "rollback"
        if (!this.settlesInside) return "commit"
        last.ending = await this.settleInside(transaction.handle, operations)
        return last.ending.refusal === undefined ? "commit" : "rollback"
      }, options)
      if (outcome === "committed") {
        this.endings.commit(operations)
        last.ending?.keep()
        last.ending = undefined
      }
      const refusal = last.ending?.refusal
      if (refusal !== undefined) for (const operation of operations) operation.result = refusal()
      return outcome
    } finally {
      last.ending?.undo()
    }
  }

  // Within the transaction the results are what they are going to be.
  private async settleInside(transaction: unknown, operations: ReadonlyArray<Operation>): Promise<Ending> {
    const { settings, times, journal } = this.options
    const leave = journal === undefined ? () => {} : await this.order.turn(this.answerMs)
    if (leave === undefined) return refused(inTheWay)
    const inside = new Set(operations)
    const isOver = [...this.running].every((operation) => this.endings.hasEnded(operation, inside))
    try {
      const takeBack = await this.settlement.tell(operations, {
        isOver,
        inside,
        call: (items) => settings.store.settleIn!(transaction, items, times),
      })
      const undo = () => {
        takeBack()
        leave()
      }
      const keep = () => {
        for (const operation of operations) this.running.delete(operation)
        this.settlement.committed(operations)
        leave()
      }
      if (!this.settlement.lost) return { undo, keep, refusal: undefined }
      undo()
      return refused(taken)
    } catch (error) {
      leave()
      throw error
    }
  }

  private abandon(operations: ReadonlyArray<Operation>, members: ReadonlyArray<Operation>): void {
    this.endings.undo(operations, members)
    // It was given up, and the batch answered: only now is it known that nothing came of it.
    if (this.finished) void this.settleInTurn(operations)
  }

  private flush(): void {
    this.stopFlush?.()
    this.stopFlush = undefined
    if (!this.isCrowded) void this.settleWaiting()
  }

  private async settleWaiting(): Promise<void> {
    const operations = this.waiting
    this.waiting = []
    const isGuarded = this.options.journal !== undefined && this.settlesInside
    const leave = await (isGuarded ? this.order.alone(this.answerMs) : this.order.turn(this.answerMs))
    if (leave === undefined) {
      // A transaction that was given up does not end: the others must not wait for it again.
      this.isCrowded = true
      this.waiting.push(...operations)
      return
    }
    await this.settle(operations, false)
    leave()
  }

  private async settleInTurn(operations: ReadonlyArray<Operation>): Promise<void> {
    const leave = await this.order.turn(this.answerMs)
    await this.settle(operations, true)
    leave?.()
  }

  private async settle(operations: ReadonlyArray<Operation>, isOver: boolean): Promise<void> {
    const { settings, times, timer, journal } = this.options
    // A batch that may be tried again at once is left with a lease that is over.
    const isResumable = (items: ReadonlyArray<SettleItem>) =>
      isOver && journal !== undefined && items.at(-1)?.action._tag !== "complete" && !this.endings.areAmbiguous()
    try {
      await this.settlement.tell(operations, {
        isOver,
        inside: undefined,
        call: (items) => {
          const leaseMs = isResumable(items) ? 0 : times.leaseMs
          return withTimeout(() => settings.store.settle(items, { ...times, leaseMs }), this.answerMs, timer)
        },
      })
      this.isUntold = false
    } catch {
      this.isUntold = true
      if (!isOver) this.waiting.push(...operations)
    }
  }

  private retryLater(operations: ReadonlyArray<Operation>, until: number): void {
    if (this.options.now() >= until) return
    const again = async () => {
      await this.settleInTurn(operations)
      if (this.isUntold) this.retryLater(operations, until)
    }
    this.options.timer(retryMs, () => void again())
  }
}

/** What was settled in a transaction that has not ended. */
interface Ending {
  /** The transaction came to nothing. */
  readonly undo: () => void
  /** The transaction was committed. */
  readonly keep: () => void
  /** What its operations are answered if it must not be committed. */
  readonly refusal: (() => OperationResult) | undefined
}

const refused = (refusal: () => OperationResult): Ending => ({ undo: () => {}, keep: () => {}, refusal })

/** What is said of operations that another execution has taken over. */
export const taken = (): OperationResult =>
  OperationResult.refused(
    failure("IDEMPOTENCY_IN_PROGRESS", "This took so long that another request with the same key went on with it", {
      retryable: true,
      retryAfter: 1,
    }),
  )

const inTheWay = (): OperationResult =>
  OperationResult.refused(failure("CONFLICT", "Other transactions of the batch took too long", { retryable: true }))
