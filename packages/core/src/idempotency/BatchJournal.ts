/**
 * The journal of a batch with a key: one record that holds what the batch has done so far. A retry replays its lines and
 * runs the other operations.
 *
 * **Grammar** (ABNF, RFC 5234; characters are UTF-16 code units)
 *
 * ```
 * journal = *line
 * line    = index [ "+" count ] ":" length ":" text LF
 * index   = 1*9DIGIT      ; index of the operation in the batch, or of the first one that shares the line
 * count   = 1*9DIGIT      ; adjacent operations that share the line: 1 to 100
 * length  = 1*9DIGIT      ; number of characters of text
 * text    = *%x0-FFFF     ; without a count: `StoredResult.write`, encoded by the codec where there is one
 *                         ; with a count: `StoredResult.writeAll`, never encoded
 * ```
 *
 * No operation has two lines. While the batch runs, lines are in the order in which operations ended; the record of a
 * completed batch has them in request order. `readJournal` reads a journal.
 */
import type { Operation } from "../batch/Operation.ts"
import type { HashedKey } from "./IdempotencyKeys.ts"
import type { SettleAction, SettleItem } from "./IdempotencyStore.ts"

/** The state of a batch when its journal is sent. */
export interface Standing {
  /** Whether every operation has ended. */
  readonly isOver: boolean
  /** Whether an operation without a line may have had an effect, or may still have one. */
  readonly isAmbiguous: () => boolean
}

/** Characters that the lines of a batch may have together. Stores accept records of some megabytes, not of any size. */
const maxLength = 8 * 2 ** 20

/** Maximum number of operations that share a line. */
export const maxOperationsPerLine = 100

export class BatchJournal {
  readonly batchKey: HashedKey
  /** By index of the operation. A line that operations share stands with the first of them; the others have "". */
  private lines: Array<string | undefined> = []
  private count = 0
  private length = 0
  /** Characters that the store has confirmed. */
  private stored: number
  /** The chunk that was sent and not confirmed. The store may have it, so the same chunk is sent again before any other. */
  private unconfirmed = ""
  /** Operations whose lines were never sent. */
  private unsent: Array<Operation> = []
  private isClosed = false

  /** Continues a journal of which the store has `stored` characters. */
  constructor(batchKey: HashedKey, stored: number) {
    this.batchKey = batchKey
    this.stored = stored
  }

  /** Characters that further lines may have. */
  get room(): number {
    return maxLength - this.length
  }

  has({ index }: Operation): boolean {
    return this.lines[index] !== undefined
  }

  /** Names the place of an operation's result, for codecs. */
  placeOf({ index }: Operation): string {
    return placeOf(this.batchKey, index)
  }

  /** Adds the encoded result of an operation that has no line yet. */
  add(operation: Operation, encoded: string): void {
    if (this.has(operation)) return
    this.setLine(operation, `${operation.index}:${encoded.length}:${encoded}\n`)
    this.unsent.push(operation)
  }

  /** Adds a line that adjacent operations share, at most `maxOperationsPerLine`. None of them has a line yet. */
  addShared(operations: ReadonlyArray<Operation>, encoded: string): void {
    const line = `${operations[0]!.index}+${operations.length}:${encoded.length}:${encoded}\n`
    for (const [place, operation] of operations.entries()) this.setLine(operation, place === 0 ? line : "")
    this.unsent.push(...operations)
  }

  /** Sets a line without sending it, as for those that the store already has. */
  setLine({ index }: Operation, line: string): void {
    if (this.lines[index] === undefined) this.count++
    this.lines[index] = line
    this.length += line.length
  }

  /**
   * Returns the item that the store has to be sent next: it completes the record, appends new lines, extends the lease of
   * a batch that can be resumed, or releases the key of a batch that did nothing. Undefined where there is nothing to send.
   */
  next(operations: ReadonlyArray<Operation>, { isOver, isAmbiguous }: Standing): SettleItem | undefined {
    if (this.isClosed) return undefined
    if (isOver && this.count === operations.length) {
      return this.item({ _tag: "complete", result: this.linesOf(operations) })
    }
    if (this.unconfirmed === "") {
      this.unconfirmed = this.linesOf(this.unsent)
      this.unsent = []
    }
    if (this.unconfirmed !== "") return this.item({ _tag: "append", at: this.stored, chunk: this.unconfirmed })
    if (!isOver || isAmbiguous()) return undefined
    return this.item({ _tag: this.stored === 0 ? "release" : "extend" })
  }

  /** Notes that the store has applied an item. Returns whether there are further lines to send. */
  confirm({ action: { _tag } }: SettleItem): boolean {
    this.isClosed = _tag === "complete" || _tag === "release"
    if (_tag !== "append") return false
    this.stored += this.unconfirmed.length
    this.unconfirmed = ""
    return this.unsent.length > 0
  }

  /** Captures the state. The returned function restores it, for a transaction that is rolled back. */
  checkpoint(): () => void {
    const { stored, unconfirmed, isClosed, count, length } = this
    const [lines, unsent] = [[...this.lines], [...this.unsent]]
    return () => void Object.assign(this, { stored, unconfirmed, isClosed, count, length, lines, unsent })
  }

  private linesOf(operations: ReadonlyArray<Operation>): string {
    let lines = ""
    for (const { index } of operations) lines += this.lines[index]!
    return lines
  }

  private item(action: SettleAction): SettleItem {
    return { ...this.batchKey, action }
  }
}

/** Names the place of an operation's result in the record of a batch. */
export const placeOf = ({ key }: HashedKey, index: number): string => `${key}/${index}`
