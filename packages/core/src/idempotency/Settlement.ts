/** Tells the store how operations ended: under their own keys, and in the record of their batch. */
import type { Operation } from "../batch/Operation.ts"
import type { ValueFormat } from "../batch/Codec.ts"
import type { SettleAction, Settled, SettleItem } from "./IdempotencyStore.ts"
import { type BatchJournal, mostTogether } from "./BatchJournal.ts"
import type { OutcomeLedger, Inside } from "./OutcomeLedger.ts"
import type { HashedKey } from "./IdempotencyKeys.ts"
import type { IdempotencySettings } from "./IdempotencySettings.ts"
import * as StoredResult from "./StoredResult.ts"

export interface SettlementOptions {
  readonly settings: IdempotencySettings
  /** All operations of the batch. */
  readonly operations: ReadonlyArray<Operation>
  readonly claimed: ReadonlyMap<Operation, HashedKey>
  readonly journal: BatchJournal | undefined
  readonly format: ValueFormat
  readonly endings: OutcomeLedger
}

export interface Telling {
  /** Whether every operation of the batch has ended. */
  readonly isOver: boolean
  /** The operations of the transaction that the store is told in; undefined outside of one. */
  readonly inside: Inside | undefined
  readonly call: (items: ReadonlyArray<SettleItem>) => PromiseLike<ReadonlyArray<Settled>>
}

export class Settlement {
  /** Whether claims were lost: others may be at work on the same. */
  lost = false
  private readonly options: SettlementOptions
  /** What is not settled yet. */
  private readonly open: Map<Operation, HashedKey>
  /** Keys that the store was told the end of: it may have settled them, whether it confirmed that or not. */
  private readonly told = new Set<string>()

  constructor(options: SettlementOptions) {
    this.options = options
    this.open = new Map(options.claimed)
  }

  /** Whether the operation has a claim that is not settled, of its own or with its batch. */
  holds(operation: Operation): boolean {
    return this.options.journal !== undefined || this.open.has(operation)
  }

  /** Operations with claims that are not settled. */
  get left(): Iterable<Operation> {
    return this.open.keys()
  }

  /** Notes that the transaction in which the store was told of these operations was committed. */
  committed(operations: ReadonlyArray<Operation>): void {
    for (const operation of operations) this.open.delete(operation)
  }

  /**
   * Tells the store of operations; rejects if it is not known whether it has heard.
   *
   * **Details** What it answers takes that back, for a transaction that came to nothing; so does rejecting.
   */
  async tell(operations: ReadonlyArray<Operation>, { isOver, inside, call }: Telling): Promise<() => void> {
    const { journal, endings } = this.options
    const restore = inside === undefined ? undefined : journal?.checkpoint()
    const news: Array<string> = []
    const takeBack = () => {
      restore?.()
      for (const key of news) this.told.delete(key)
    }
    try {
      const { ended, actions } = await this.endsOf(operations, inside)
      let items = actions
      if (isOver) await this.journalRest(inside)
      const next = () => journal?.next(this.options.operations, { isOver, isAmbiguous: () => endings.areAmbiguous() })
      // Keys differ within one call, so a journal of which a part is in doubt takes two.
      for (let ofBatch = next(); items.length > 0 || ofBatch !== undefined; items = []) {
        const all = ofBatch === undefined ? items : [...items, ofBatch]
        this.note(all, news)
        const settled = await call(all)
        this.lost ||= settled.includes("refused")
        const hasMore = !this.lost && ofBatch !== undefined && journal?.confirm(ofBatch) === true
        ofBatch = hasMore ? next() : undefined
      }
      if (inside === undefined) for (const operation of ended) this.open.delete(operation)
    } catch (error) {
      // Outside of a transaction it may have been done all the same.
      if (inside !== undefined) takeBack()
      throw error
    }
    return takeBack
  }

  /** Extends the lease of every claim that is not settled. */
  async extend(call: Telling["call"]): Promise<void> {
    const { journal } = this.options
    const keys = [...this.open.values(), ...(journal === undefined ? [] : [journal.claim])]
    if (keys.length === 0) return
    const settled = await call(keys.map(({ key, fingerprint }) => ({ key, fingerprint, action: { _tag: "extend" } })))
    // A claim that was settled meanwhile is refused too, and is no loss.
    this.lost ||= keys.some(({ key }, index) => settled[index] === "refused" && !this.told.has(key))
  }

  private async endsOf(
    operations: ReadonlyArray<Operation>,
    inside: Inside | undefined,
  ): Promise<{ readonly ended: ReadonlyArray<Operation>; readonly actions: ReadonlyArray<SettleItem> }> {
    const { endings, journal } = this.options
    const ended: Array<Operation> = []
    const actions: Array<SettleItem> = []
    const end = (operation: Operation, { key, fingerprint }: HashedKey, action: SettleAction) => {
      ended.push(operation)
      actions.push({ key, fingerprint, action })
    }
    this.journalRuns(operations, inside)
    for (const operation of operations) {
      const claim = this.open.get(operation)
      if (claim === undefined && journal?.has(operation) !== false) continue
      if (endings.isLeft(operation, inside)) continue
      const isStorable = endings.isStorable(operation, inside)
      const journalled = isStorable ? this.journal(operation) : undefined
      if (journalled !== undefined) await journalled
      if (claim === undefined) continue
      const encoded = isStorable ? this.encode(operation, () => claim.key) : undefined
      const result = typeof encoded === "object" ? await encoded : encoded
      if (result !== undefined) end(operation, claim, { _tag: "complete", result })
      else if (!endings.isAmbiguous(operation)) end(operation, claim, { _tag: "release" })
    }
    return { ended, actions }
  }

  // Replays, and those that got the result of another one, ended without anybody noting it.
  private async journalRest(inside: Inside | undefined): Promise<void> {
    const { journal, operations, endings } = this.options
    if (journal === undefined || operations.some(({ result }) => result === undefined)) return
    this.journalRuns(operations, inside)
    for (const operation of operations) {
      if (journal.has(operation) || !endings.isStorable(operation, inside)) continue
      const journalled = this.journal(operation)
      if (journalled !== undefined) await journalled
    }
  }

  // What follows each other and ended alike is written as one; what does not is left to be written by itself.
  private journalRuns(operations: ReadonlyArray<Operation>, inside: Inside | undefined): void {
    const { journal, endings, format, settings } = this.options
    if (journal === undefined || settings.codec !== undefined) return
    let run: Array<Operation> = []
    const write = () => {
      for (let at = 0; at < run.length - 1;) {
        const some = run.slice(at, at + mostTogether)
        const results = some.map(({ result }) => result!)
        const written = StoredResult.writeAll(results, format, Math.min(settings.maxResultBytes, journal.room))
        if (written !== undefined) journal.addAll(some.slice(0, written.count), written.text)
        at += written?.count ?? 1
      }
      run = []
    }
    let next = 0
    for (const operation of operations) {
      if (operation.index !== next) write()
      if (journal.has(operation) || endings.isLeft(operation, inside)) continue
      if (!endings.isStorable(operation, inside)) continue
      run.push(operation)
      next = operation.index + 1
    }
    write()
  }

  private journal(operation: Operation): Promise<void> | undefined {
    const { journal } = this.options
    if (journal === undefined || journal.has(operation)) return undefined
    const line = this.encode(operation, () => journal.placeOf(operation), journal.room)
    const add = (encoded: string | undefined) => {
      if (encoded !== undefined) journal.add(operation, encoded)
    }
    if (typeof line === "object") return line.then(add)
    add(line)
    return undefined
  }

  // There may be thousands of them, and a codec hardly ever: only where there is one is there something to wait for.
  private encode(
    operation: Operation,
    place: () => string,
    room = Number.POSITIVE_INFINITY,
  ): string | Promise<string | undefined> {
    const { format, settings } = this.options
    const text = StoredResult.write(operation.result!, format, settings.maxResultBytes)
    const isWhole = text.length <= room
    return isWhole && settings.codec === undefined
      ? text
      : this.encodeText(operation, place, isWhole ? text : undefined)
  }

  // Undefined where the codec refuses even what says that the operation ran: the others must not suffer from that.
  private async encodeText(
    operation: Operation,
    place: () => string,
    text: string | undefined,
  ): Promise<string | undefined> {
    const { format, settings, endings } = this.options
    for (const write of [() => text, () => StoredResult.writeStub(operation.result!, format)]) {
      try {
        const kept = write()
        if (kept !== undefined) return await StoredResult.encode(kept, place(), settings.codec)
      } catch {
        // It may be what the result holds.
      }
    }
    endings.unencodable.add(operation)
    return undefined
  }

  private note(items: ReadonlyArray<SettleItem>, news: Array<string>): void {
    for (const { key, action } of items) {
      if ((action._tag !== "complete" && action._tag !== "release") || this.told.has(key)) continue
      this.told.add(key)
      news.push(key)
    }
  }
}
