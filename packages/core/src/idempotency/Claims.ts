/**
 * The claims of one running batch: kept alive while operations run, and settled as operations end.
 *
 * **States** of the claim of an operation:
 *
 * ```
 *  claimed ──── lease over or claim lost ────► refused: the operation does not start
 *     │ start
 *     ▼
 *  running ──── in a transaction ────► fenced
 *     │ result                           │ work done, turn taken, settled inside (TransactionFence)
 *     ▼                                  ├── commit ────► settled
 *  buffered ◄──────── rollback ──────────┘
 *     │ flush (SettleBuffer): more than one ends at once, or 25 are buffered, or 50 ms passed; after a lull of 25 ms, 3 ms
 *     ▼
 *  settling (Recorder): complete, append to the journal, or release
 *     ├── the store answers ────► settled
 *     ├── no answer, batch runs ────► buffered
 *     └── no answer, batch over ────► retry every second ────► settled, or expired with the lease
 * ```
 *
 * `finish` settles the operations that are buffered when the batch ends, together with the batch itself. Until then the
 * heartbeat extends the lease of every claim that is not settled.
 */
import type { ValueFormat } from "../batch/Codec.ts"
import type { Operation } from "../batch/Operation.ts"
import type { OperationResult } from "../batch/OperationResult.ts"
import type { ExecutionHooks } from "../execution/ExecutionHooks.ts"
import type { TransactionOutcome, UnitOfWork } from "../execution/UnitOfWork.ts"
import type { Timer } from "../platform/FiberClock.ts"
import { withTimeout } from "../platform/withTimeout.ts"
import type { BatchJournal } from "./BatchJournal.ts"
import { Heartbeat } from "./Heartbeat.ts"
import type { HashedKey } from "./IdempotencyKeys.ts"
import { answerMs, type IdempotencySettings } from "./IdempotencySettings.ts"
import type { IdempotencyTimes } from "./IdempotencyStore.ts"
import { claimLost, OpenClaims } from "./OpenClaims.ts"
import { OutcomeLedger } from "./OutcomeLedger.ts"
import { Recorder } from "./Recorder.ts"
import { ResultEncoder } from "./ResultEncoder.ts"
import { SettleBuffer } from "./SettleBuffer.ts"
import { TransactionFence } from "./TransactionFence.ts"
import { WriteOrder } from "./WriteOrder.ts"

export interface ClaimsOptions {
  readonly settings: IdempotencySettings
  /** All operations of the batch. */
  readonly operations: ReadonlyArray<Operation>
  /** The keys of operations that have a claim of their own. */
  readonly claimed: ReadonlyMap<Operation, HashedKey>
  /** The record of the batch; undefined where the batch has no key. */
  readonly journal: BatchJournal | undefined
  readonly format: ValueFormat
  readonly times: IdempotencyTimes
  readonly timer: Timer
  /** Monotonic time in milliseconds. */
  readonly now: () => number
  /** When the claims were requested, by `now`. */
  readonly requestedAt: number
}

export class Claims implements ExecutionHooks {
  private readonly ledger: OutcomeLedger
  private readonly open: OpenClaims
  private readonly heartbeat: Heartbeat
  private readonly buffer: SettleBuffer
  private readonly recorder: Recorder
  private readonly transactionFence: TransactionFence
  private finishing: Promise<void> | undefined = undefined

  constructor(options: ClaimsOptions) {
    const { operations, settings, times, timer, now, requestedAt, claimed, journal, format } = options
    this.ledger = new OutcomeLedger(operations, settings)
    this.open = new OpenClaims(claimed, journal)
    const encoder = new ResultEncoder(settings, format, this.ledger)
    const context = { operations, open: this.open, ledger: this.ledger, journal, encoder }
    const order = new WriteOrder(timer)
    this.recorder = new Recorder({ context, settings, times, order, timer, now })
    this.transactionFence = new TransactionFence({ context, settings, times, order })
    this.buffer = new SettleBuffer({ timer, now, flush: () => void this.flush() })
    const extend = async () => {
      const items = this.open.extensions()
      if (items.length === 0) return
      const answer = await withTimeout(() => settings.store.settle(items, times), answerMs(settings), timer)
      this.open.confirmExtended(items, answer)
    }
    this.heartbeat = new Heartbeat({ leaseMs: times.leaseMs, timer, now, requestedAt, extend })
  }

  /** Whether results could not be recorded, so that a retry may run operations again. */
  get unrecorded(): boolean {
    return this.recorder.hasFailed || this.ledger.unencodable.size > 0
  }

  /** Refuses operations whose claims may be over: operations start only while the lease certainly lasts. */
  refuse(operations: ReadonlyArray<Operation>): OperationResult | undefined {
    if (!this.open.isLost && this.heartbeat.isAlive) return undefined
    return operations.some((operation) => this.open.protects(operation)) ? claimLost() : undefined
  }

  /** Notes operations that have ended. They are settled soon, together with others. */
  ended(operations: ReadonlyArray<Operation>): void {
    // Operations that were settled in their transaction are not running any more.
    const ended = this.ledger.end(operations)
    // The last operations are settled by `finish`, together with the batch itself.
    if (this.ledger.isOver || this.finishing !== undefined) this.buffer.keep(ended)
    else this.buffer.add(ended)
  }

  /**
   * Returns a unit of work whose transactions settle these operations before they commit, where the store can do that, and
   * do not commit where their claims were lost. Results of operations that were rolled back are never stored, nor are
   * those of `members`, which are undone with them.
   */
  fence(
    unitOfWork: UnitOfWork,
    operations: ReadonlyArray<Operation>,
    members: ReadonlyArray<Operation> = operations,
  ): UnitOfWork {
    const run: UnitOfWork["run"] = async (work, options) => {
      this.ledger.begin(operations)
      let outcome: TransactionOutcome = "rolled-back"
      try {
        outcome = await this.transactionFence.run(unitOfWork, operations, work, options)
        return outcome
      } finally {
        if (outcome !== "committed" && outcome !== "unknown") this.rollBack(operations, members)
      }
    }
    return { ...unitOfWork, run }
  }

  /**
   * Settles what is left and ends the claims. The promise resolves when the store has answered or failed; further calls
   * return the same promise.
   */
  finish(): Promise<void> {
    return (this.finishing ??= this.settleRest())
  }

  private async settleRest(): Promise<void> {
    this.heartbeat.stop()
    const rest = [...new Set([...this.buffer.take(), ...this.open.operations])]
    await this.recorder.settleRest(rest)
    if (this.recorder.hasFailed) this.recorder.retry(rest)
  }

  private rollBack(operations: ReadonlyArray<Operation>, members: ReadonlyArray<Operation>): void {
    this.ledger.rollBack(operations, members)
    // The batch gave the transaction up and was answered: only now are its claims free.
    if (this.finishing !== undefined) void this.recorder.settleRest(operations)
  }

  private async flush(): Promise<void> {
    if (this.recorder.isBlocked) return
    const operations = this.buffer.take()
    if (!(await this.recorder.settleGroup(operations))) this.buffer.keep(operations)
  }
}
