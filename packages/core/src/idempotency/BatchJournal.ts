/**
 * What a batch with a key of its own has done so far, in one record: a line for an operation, or for several that follow
 * each other. A retry replays the lines and runs the rest.
 */
import type { Operation } from "../batch/Operation.ts"
import type { OperationResult } from "../batch/OperationResult.ts"
import type { ValueFormat } from "../batch/Codec.ts"
import type { SettleAction, SettleItem } from "./IdempotencyStore.ts"
import type { HashedKey } from "./IdempotencyKeys.ts"
import * as StoredResult from "./StoredResult.ts"

/** How a batch stands that has something to tell the store. */
export interface Standing {
  /** Whether every operation has ended. */
  readonly isOver: boolean
  /** Whether operations may have had an effect, or may be having it still, of which there is no line. */
  readonly isAmbiguous: () => boolean
}

/** Characters that the lines of a batch may have together; stores take records of some megabytes, and not of any size. */
const maxLength = 8 * 2 ** 20

/** Operations whose results share a line at most. */
export const mostTogether = 100

export class BatchJournal {
  readonly claim: HashedKey
  /** By index. The line of several operations stands with the first of them, and nothing with the others. */
  private lines: Array<string | undefined> = []
  private count = 0
  private length = 0
  /** Characters that the store has. */
  private stored: number
  /** What the store was told last and has not confirmed. It may have it: so it is told the same again, and nothing else. */
  private told = ""
  /** Operations whose lines the store was not told. */
  private pending: Array<Operation> = []
  private isClosed = false

  constructor(claim: HashedKey, journal: string) {
    this.claim = claim
    this.stored = journal.length
  }

  /** Characters that there is room for yet. */
  get room(): number {
    return maxLength - this.length
  }

  has({ index }: Operation): boolean {
    return this.lines[index] !== undefined
  }

  /** Names the place of an operation's result, for codecs. */
  placeOf({ index }: Operation): string {
    return placeOf(this.claim, index)
  }

  /** Adds the encoded result of an operation. */
  add(operation: Operation, encoded: string): void {
    if (this.has(operation)) return
    this.set(operation, `${operation.index}:${encoded.length}:${encoded}\n`)
    this.pending.push(operation)
  }

  /** Adds the results of at most `mostTogether` operations that follow each other and have no line, encoded as one. */
  addAll(operations: ReadonlyArray<Operation>, encoded: string): void {
    const line = `${operations[0]!.index}+${operations.length}:${encoded.length}:${encoded}\n`
    for (const [place, operation] of operations.entries()) this.set(operation, place === 0 ? line : "")
    this.pending.push(...operations)
  }

  /** Keeps the line of an operation that the store has already. */
  set({ index }: Operation, line: string): void {
    if (this.lines[index] === undefined) this.count++
    this.lines[index] = line
    this.length += line.length
  }

  /** What the store is to be told next: that the batch is done, what was added, or that nothing came of it. */
  next(operations: ReadonlyArray<Operation>, { isOver, isAmbiguous }: Standing): SettleItem | undefined {
    if (this.isClosed) return undefined
    if (isOver && this.isComplete(operations)) {
      return this.item({ _tag: "complete", result: this.linesOf(operations) })
    }
    if (this.told === "") {
      this.told = this.linesOf(this.pending)
      this.pending = []
    }
    if (this.told !== "") return this.item({ _tag: "append", at: this.stored, chunk: this.told })
    if (!isOver || isAmbiguous()) return undefined
    return this.item({ _tag: this.stored === 0 ? "release" : "extend" })
  }

  /** Notes that the store has done what it was told; answers whether there is more to tell. */
  confirm({ action: { _tag } }: SettleItem): boolean {
    this.isClosed = _tag === "complete" || _tag === "release"
    this.stored += _tag === "append" ? this.told.length : 0
    if (_tag !== "append") return false
    this.told = ""
    return this.pending.length > 0
  }

  /** Remembers how things are; what it answers makes them so again: the transaction they are told in may come to nothing. */
  checkpoint(): () => void {
    const { stored, told, isClosed, count, length } = this
    const [lines, pending] = [[...this.lines], [...this.pending]]
    return () => void Object.assign(this, { stored, told, isClosed, count, length, lines, pending })
  }

  /** Whether every operation has its line. */
  isComplete(operations: ReadonlyArray<Operation>): boolean {
    return this.count === operations.length
  }

  private linesOf(operations: ReadonlyArray<Operation>): string {
    let lines = ""
    for (const { index } of operations) lines += this.lines[index]!
    return lines
  }

  private item(action: SettleAction): SettleItem {
    return { ...this.claim, action }
  }
}

const placeOf = ({ key }: HashedKey, index: number): string => `${key}/${index}`

export interface ReadJournal {
  /** Results and lines, by index. */
  readonly lines: ReadonlyMap<number, { readonly line: string; readonly result: OperationResult }>
  /** Whether there is something that cannot be read: of which operations it was the result is not known. */
  readonly isDamaged: boolean
}

/** Reads a journal. */
export const readJournal = async (
  journal: string,
  claim: HashedKey,
  codec: StoredResult.ResultCodec | undefined,
  format: ValueFormat,
): Promise<ReadJournal> => {
  const lines = new Map<number, { readonly line: string; readonly result: OperationResult }>()
  const head = /(\d{1,9})(?:\+(\d{1,9}))?:(\d{1,9}):/y
  let at = 0
  let hasHole = false
  // Undefined where it is not even known how many operations they were.
  const resultsOf = async (text: string, first: number, count: number | undefined) => {
    if (count === undefined) return [await decode(text, placeOf(claim, first), codec, format)]
    if (count < 1 || count > mostTogether) return undefined
    // Nobody but the codec says what is in a record that it is there to protect.
    const results = codec === undefined ? StoredResult.readAll(text, format) : undefined
    if (results === undefined) return Array.from({ length: count }, StoredResult.unreadable)
    return results.length === count ? results : undefined
  }
  while (at < journal.length) {
    head.lastIndex = at
    const found = head.exec(journal)
    if (found === null) break
    const first = Number(found[1])
    const end = head.lastIndex + Number(found[3])
    if (journal[end] !== "\n") break
    const text = journal.slice(head.lastIndex, end)
    const line = journal.slice(at, end + 1)
    at = end + 1
    const results = await resultsOf(text, first, found[2] === undefined ? undefined : Number(found[2]))
    if (results === undefined || results.some((_, place) => lines.has(first + place))) hasHole = true
    else results.forEach((result, place) => lines.set(first + place, { line: place === 0 ? line : "", result }))
  }
  return { lines, isDamaged: hasHole || at < journal.length }
}

/** Reads one stored text. */
export const decode = async (
  text: string,
  place: string,
  codec: StoredResult.ResultCodec | undefined,
  format: ValueFormat,
): Promise<OperationResult> => {
  try {
    return StoredResult.read(codec === undefined ? text : await codec.decode(text, place), format)
  } catch {
    return StoredResult.unreadable()
  }
}
