/**
 * One settlement: prepares the items that tell the store how operations ended, and notes the answers of the store.
 *
 * **Details** The caller makes the calls, as many as there are: keys differ within one call, so a batch record takes a
 * second one where an earlier chunk of its journal is in doubt.
 *
 * ```ts
 * let items = await settlement.prepare()
 * while (items.length > 0) items = settlement.confirm(await store.settle(items, times))
 * ```
 */
import type { Operation } from "../batch/Operation.ts"
import { type BatchJournal, maxOperationsPerLine } from "./BatchJournal.ts"
import type { HashedKey } from "./IdempotencyKeys.ts"
import type { SettleAction, Settled, SettleItem } from "./IdempotencyStore.ts"
import type { OpenClaims } from "./OpenClaims.ts"
import type { Committing, OutcomeLedger } from "./OutcomeLedger.ts"
import type { ResultEncoder } from "./ResultEncoder.ts"

/** State that the settlements of one batch share. */
export interface SettlementContext {
  /** All operations of the batch. */
  readonly operations: ReadonlyArray<Operation>
  readonly open: OpenClaims
  readonly ledger: OutcomeLedger
  /** The record of the batch; undefined where the batch has no key. */
  readonly journal: BatchJournal | undefined
  readonly encoder: ResultEncoder
}

export interface SettlementOptions {
  /** Whether every operation of the batch has ended. */
  readonly isOver: boolean
  /** The operations of the transaction that the store settles in; undefined outside of a transaction. */
  readonly committing: Committing | undefined
}

export class Settlement {
  private readonly context: SettlementContext
  private readonly operations: ReadonlyArray<Operation>
  private readonly options: SettlementOptions
  /** Operations whose own claim ends with this settlement. */
  private readonly closing: Array<Operation> = []
  /** Keys that this settlement was the first to complete or release. */
  private readonly marked: Array<string> = []
  /** The item of the batch record in the call that is not confirmed yet. */
  private journalItem: SettleItem | undefined = undefined
  private restoreJournal: (() => void) | undefined = undefined

  constructor(context: SettlementContext, operations: ReadonlyArray<Operation>, options: SettlementOptions) {
    this.context = context
    this.operations = operations
    this.options = options
  }

  /** Encodes the results of the operations and returns the items of the first call; none where there is nothing to settle. */
  async prepare(): Promise<ReadonlyArray<SettleItem>> {
    const { isOver, committing } = this.options
    if (committing !== undefined) this.restoreJournal = this.context.journal?.checkpoint()
    const items = await this.ownItems()
    if (isOver) await this.journalRest()
    return this.nextCall(items)
  }

  /** Notes the store's answer and returns the items of the next call; none where everything is settled. */
  confirm(answer: ReadonlyArray<Settled>): ReadonlyArray<SettleItem> {
    const { open, journal } = this.context
    open.isLost ||= answer.includes("refused")
    const { journalItem } = this
    this.journalItem = undefined
    const hasMore = !open.isLost && journalItem !== undefined && journal?.confirm(journalItem) === true
    const items = hasMore ? this.nextCall([]) : []
    // In a transaction the claims stay open until it commits.
    if (items.length === 0 && this.options.committing === undefined) open.close(this.closing)
    return items
  }

  /** Takes back a settlement whose transaction was rolled back. */
  undo(): void {
    this.restoreJournal?.()
    this.context.open.unmarkClosing(this.marked)
  }

  private nextCall(items: ReadonlyArray<SettleItem>): ReadonlyArray<SettleItem> {
    const { journal, operations, ledger, open } = this.context
    const standing = { isOver: this.options.isOver, isAmbiguous: () => ledger.hasAmbiguous() }
    this.journalItem = journal?.next(operations, standing)
    const all = this.journalItem === undefined ? items : [...items, this.journalItem]
    this.marked.push(...open.markClosing(all))
    return all
  }

  /** Journals the operations, and returns the items for those that have an open claim of their own. */
  private async ownItems(): Promise<ReadonlyArray<SettleItem>> {
    const { ledger, journal, encoder, open } = this.context
    const { committing } = this.options
    const items: Array<SettleItem> = []
    const close = (operation: Operation, { key, fingerprint }: HashedKey, action: SettleAction) => {
      this.closing.push(operation)
      items.push({ key, fingerprint, action })
    }
    this.journalRuns(this.operations)
    for (const operation of this.operations) {
      const claim = open.keyOf(operation)
      if (claim === undefined && journal?.has(operation) !== false) continue
      if (ledger.awaitsTransaction(operation, committing)) continue
      const isStorable = ledger.isStorable(operation, committing)
      const journalling = isStorable ? this.journalOne(operation) : undefined
      if (journalling !== undefined) await journalling
      if (claim === undefined) continue
      const encoding = isStorable
        ? encoder.encode(operation, { place: claim.key, room: Number.POSITIVE_INFINITY })
        : undefined
      const result = typeof encoding === "object" ? await encoding : encoding
      if (result !== undefined) close(operation, claim, { _tag: "complete", result })
      else if (!ledger.isAmbiguous(operation)) close(operation, claim, { _tag: "release" })
    }
    return items
  }

  /** Journals operations that were not reported as ended: replays, and duplicates that got the result of their original. */
  private async journalRest(): Promise<void> {
    const { journal, operations, ledger } = this.context
    if (journal === undefined || operations.some(({ result }) => result === undefined)) return
    this.journalRuns(operations)
    for (const operation of operations) {
      if (journal.has(operation) || !ledger.isStorable(operation, this.options.committing)) continue
      const journalling = this.journalOne(operation)
      if (journalling !== undefined) await journalling
    }
  }

  /** Journals runs of adjacent operations with similar results as one line each, and leaves the others alone. */
  private journalRuns(operations: ReadonlyArray<Operation>): void {
    const { journal, ledger, encoder } = this.context
    const { committing } = this.options
    if (journal === undefined || !encoder.canShare) return
    let run: Array<Operation> = []
    const write = () => {
      for (let at = 0; at < run.length - 1;) {
        const part = run.slice(at, at + maxOperationsPerLine)
        const written = encoder.encodeShared(part, journal.room)
        if (written !== undefined) journal.addShared(part.slice(0, written.count), written.text)
        at += written?.count ?? 1
      }
      run = []
    }
    let next = 0
    for (const operation of operations) {
      if (operation.index !== next) write()
      if (journal.has(operation) || ledger.awaitsTransaction(operation, committing)) continue
      if (!ledger.isStorable(operation, committing)) continue
      run.push(operation)
      next = operation.index + 1
    }
    write()
  }

  private journalOne(operation: Operation): Promise<void> | undefined {
    const { journal, encoder } = this.context
    if (journal === undefined || journal.has(operation)) return undefined
    const line = encoder.encode(operation, { place: journal.placeOf(operation), room: journal.room })
    const add = (encoded: string | undefined) => {
      if (encoded !== undefined) journal.add(operation, encoded)
    }
    if (typeof line === "object") return line.then(add)
    add(line)
    return undefined
  }
}
