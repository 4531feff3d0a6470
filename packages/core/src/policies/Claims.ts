/**
 * The claims of one batch that runs: settles what has ended, a commit group at a time, and keeps the others alive.
 */
import type { Operation } from "../domain/Operation.ts"
import { failure } from "../domain/Failure.ts"
import { OperationResult } from "../domain/OperationResult.ts"
import type { IdempotencyTimes, SettleAction, SettleItem } from "../ports/IdempotencyStore.ts"
import type { UnitOfWork } from "../ports/UnitOfWork.ts"
import type { BatchJournal } from "./BatchJournal.ts"
import type { HashedKey } from "./IdempotencyKeys.ts"
import type { IdempotencySettings } from "./IdempotencySettings.ts"
import type { ValueFormat } from "../ports/Codec.ts"
import * as StoredResult from "./StoredResult.ts"
import type { Timer } from "./TimeoutQueue.ts"

/** @category models @since 0.1.0 */
export interface ClaimsOptions {
  readonly settings: IdempotencySettings
  readonly times: IdempotencyTimes
  /** All operations of the batch. Those that have a result already have ended. */
  readonly operations: ReadonlyArray<Operation>
  readonly claimed: ReadonlyMap<Operation, HashedKey>
  readonly journal: BatchJournal | undefined
  readonly format: ValueFormat
  readonly timer: Timer
  /** When the claims were asked for, by `performance.now`. */
  readonly askedAt: number
}

/** Operations that settle in one call, where each is run apart. */
const groupSize = 25
/** Milliseconds that an operation that has ended waits for others to settle with. */
const groupMs = 50
/** Milliseconds between attempts to record what could not be recorded. */
const retryMs = 1000

/** @category models @since 0.1.0 */
export class Claims {
  /** Whether the store could not be told of results. */
  unrecorded = false
  private readonly options: ClaimsOptions
  private readonly open: Map<Operation, HashedKey>
  private readonly running: Set<Operation>
  private waiting: Array<Operation> = []
  private lost = false
  private finished = false
  private aliveUntil: number
  private stopFlush: (() => void) | undefined = undefined
  private stopBeat: (() => void) | undefined = undefined
  private writing: Promise<void> = Promise.resolve()

  constructor(options: ClaimsOptions) {
    this.options = options
    this.open = new Map(options.claimed)
    this.running = new Set(options.operations.filter(({ result }) => result === undefined))
    this.aliveUntil = options.askedAt + 0.7 * options.times.leaseMs
    this.stopBeat = options.timer(options.times.leaseMs / 3, () => void this.beat())
  }

  /** Whether operations may still begin: by this process' own clock the lease is surely not over. */
  mayBegin(): boolean {
    return !this.lost && performance.now() < this.aliveUntil
  }

  /** Notes operations that have ended; they are settled soon, many at once. */
  ended(operations: ReadonlyArray<Operation>): void {
    // Those that settled within a transaction are not waited with again.
    for (const operation of operations) if (this.running.delete(operation)) this.waiting.push(operation)
    // What is left at the end is settled by `finish`, together with the batch itself.
    if (this.running.size === 0) return
    if (operations.length > 1 || this.waiting.length >= groupSize) this.flush()
    else this.stopFlush ??= this.options.timer(groupMs, () => this.flush())
  }

  /**
   * A unit of work whose transactions store the results of these operations before they commit, and do not commit when
   * the claims were lost meanwhile: whoever took them over is at work on the same.
   */
  fence(unitOfWork: UnitOfWork, operations: ReadonlyArray<Operation>): UnitOfWork {
    if (this.options.settings.store.settleIn === undefined) return unitOfWork
    let unlock: (() => void) | undefined
    const release = () => {
      unlock?.()
      unlock = undefined
    }
    const run: UnitOfWork["run"] = async (work, options) => {
      try {
        const outcome = await unitOfWork.run(async (transaction) => {
          if (unlock !== undefined) this.options.journal?.discard()
          release()
          if ((await work(transaction)) === "rollback") return "rollback"
          // The journal is one record: another transaction of this batch must not write to it before this one has ended.
          unlock = await this.lock()
          return (await this.settleIn(transaction.handle, operations)) ? "commit" : "rollback"
        }, options)
        if (outcome === "committed") this.committed(operations)
        else if (unlock !== undefined) this.options.journal?.discard()
        if (this.lost && outcome !== "committed") loseAll(operations)
        return outcome
      } finally {
        release()
      }
    }
    return { ...unitOfWork, run }
  }

  /** Settles what is left; every operation has its result. Afterwards nothing is kept alive any more. */
  async finish(): Promise<void> {
    this.stopFlush?.()
    this.finished = true
    this.stopBeat?.()
    const unlock = await this.lock()
    const left = [...new Set([...this.waiting, ...this.open.keys()])]
    this.waiting = []
    await this.settle(left, true)
    unlock()
    if (this.unrecorded) this.retryLater(left, performance.now() + this.options.times.leaseMs)
  }

  private async settleIn(transaction: unknown, operations: ReadonlyArray<Operation>): Promise<boolean> {
    const { settings, times } = this.options
    const isLast = [...this.running].every((operation) => operations.includes(operation))
    const items = await this.itemsOf(operations, isLast)
    if (items.length === 0) return true
    const settled = await settings.store.settleIn!(transaction, items, times)
    this.lost ||= settled.includes("refused")
    return !this.lost
  }

  private committed(operations: ReadonlyArray<Operation>): void {
    this.options.journal?.commit()
    for (const operation of operations) {
      this.running.delete(operation)
      this.open.delete(operation)
    }
  }

  // Writers go one after another, in the order they came.
  private async lock(): Promise<() => void> {
    const before = this.writing
    let unlock: () => void = () => {}
    this.writing = new Promise((resolve) => (unlock = resolve))
    await before
    return unlock
  }

  private flush(): void {
    this.stopFlush?.()
    this.stopFlush = undefined
    const operations = this.waiting
    this.waiting = []
    void this.lock().then((unlock) => this.settle(operations, false).finally(unlock))
  }

  private async settle(operations: ReadonlyArray<Operation>, isLast: boolean): Promise<void> {
    const { settings, times, journal } = this.options
    try {
      const items = await this.itemsOf(operations, isLast)
      if (items.length > 0) {
        // A batch that may be tried again at once is left with a lease that is over.
        const leaseMs = isLast && journal?.isResumable(this.options.operations) === true ? 0 : times.leaseMs
        const settled = await settings.store.settle(items, { ...times, leaseMs })
        this.lost ||= settled.includes("refused")
      }
      journal?.commit()
      for (const operation of operations) this.open.delete(operation)
      this.unrecorded = false
    } catch {
      this.unrecorded = true
      if (!isLast) this.waiting.push(...operations)
    }
  }

  private retryLater(operations: ReadonlyArray<Operation>, until: number): void {
    if (performance.now() >= until) return
    const again = async () => {
      await this.settle(operations, true)
      if (this.unrecorded) this.retryLater(operations, until)
    }
    this.options.timer(retryMs, () => void again())
  }

  private async itemsOf(operations: ReadonlyArray<Operation>, isLast: boolean): Promise<ReadonlyArray<SettleItem>> {
    const { journal, settings, format } = this.options
    const items: Array<SettleItem> = []
    for (const operation of operations) {
      const claim = this.open.get(operation)
      const { result } = operation
      if (result === undefined) {
        // The batch was refused after its keys had been claimed.
        if (claim !== undefined) items.push({ ...claim, action: { _tag: "release" } })
        continue
      }
      const text = StoredResult.isFinal(result)
        ? StoredResult.write(result, format, settings.maxResultBytes)
        : undefined
      if (text !== undefined) await journal?.add(operation, text)
      if (claim === undefined) continue
      const action = await this.actionFor(operation, result, text, claim.key)
      if (action !== undefined) items.push({ ...claim, action })
    }
    const ofBatch = journal?.item(this.options.operations, isLast)
    return ofBatch === undefined ? items : [...items, ofBatch]
  }

  private async actionFor(
    operation: Operation,
    result: OperationResult,
    text: string | undefined,
    key: string,
  ): Promise<SettleAction | undefined> {
    const { codec, onAmbiguous } = this.options.settings
    if (text !== undefined)
      return { _tag: "complete", result: codec === undefined ? text : await codec.encode(text, key) }
    return isAmbiguous(result, onAmbiguous(operation)) ? undefined : { _tag: "release" }
  }

  private async beat(): Promise<void> {
    const { settings, times, timer, journal } = this.options
    const sentAt = performance.now()
    const keys = [...this.open.values(), ...(journal === undefined ? [] : [journal.claim])]
    const items = keys.map(({ key, fingerprint }): SettleItem => ({ key, fingerprint, action: { _tag: "extend" } }))
    try {
      const settled = items.length === 0 ? [] : await settings.store.settle(items, times)
      if (this.finished) return
      // A claim that was settled while this was on its way is refused too, and is no loss.
      this.lost ||= items.some(({ key }, index) => settled[index] === "refused" && this.holds(key))
      if (!this.lost) this.aliveUntil = sentAt + 0.7 * times.leaseMs
    } catch {
      // The next one may get through; until then time runs.
    }
    if (!this.finished) this.stopBeat = timer(times.leaseMs / 3, () => void this.beat())
  }

  private holds(key: string): boolean {
    for (const claim of this.open.values()) if (claim.key === key) return true
    return this.options.journal?.claim.key === key
  }
}

/**
 * What is said of operations that another execution has taken over.
 *
 * @category constructors
 * @since 0.1.0
 */
export const taken = (): OperationResult =>
  OperationResult.refused(
    failure("IDEMPOTENCY_IN_PROGRESS", "This took so long that another request with the same key went on with it", {
      retryable: true,
      retryAfter: 1,
    }),
  )

const loseAll = (operations: ReadonlyArray<Operation>): void => {
  for (const operation of operations) operation.result = taken()
}

/** Codes of results whose operation may have had its effect, or may be having it still. */
const ambiguous = new Set(["TIMEOUT", "DEADLINE_EXCEEDED", "OUTCOME_UNKNOWN"])

const isAmbiguous = ({ outcome, failure, answered }: OperationResult, mode: "retry" | "hold"): boolean => {
  if (outcome === "skipped") return false
  return ambiguous.has(failure?.code ?? "") || (mode === "hold" && answered)
}
