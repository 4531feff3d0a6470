import type { ValueFormat } from "../batch/Codec.ts"
import type { OperationResult } from "../batch/OperationResult.ts"
import { maxOperationsPerLine, placeOf } from "./BatchJournal.ts"
import type { HashedKey } from "./IdempotencyKeys.ts"
import * as StoredResult from "./StoredResult.ts"

/** A line of a journal, and the result that it holds for one operation. */
export interface JournalledResult {
  /** The whole line, with the first of the operations that share it; "" with the others. */
  readonly line: string
  readonly result: OperationResult
}

/** The content of a journal. */
export interface ReadJournal {
  /** By index of the operation. */
  readonly results: ReadonlyMap<number, JournalledResult>
  /** Whether a part is unreadable, so that any operation without a line may have run. */
  readonly isDamaged: boolean
}

/** The part of a line before its text: index, count and length. See the grammar in `BatchJournal`. */
const lineHead = /(\d{1,9})(?:\+(\d{1,9}))?:(\d{1,9}):/y

/** Reads the journal of a batch, as far as it follows the grammar in `BatchJournal`. */
export const readJournal = async (
  journal: string,
  batchKey: HashedKey,
  codec: StoredResult.ResultCodec | undefined,
  format: ValueFormat,
): Promise<ReadJournal> => {
  const found = new Map<number, JournalledResult>()
  let at = 0
  let hasHole = false
  while (at < journal.length) {
    lineHead.lastIndex = at
    const head = lineHead.exec(journal)
    if (head === null) break
    const [first, count] = [Number(head[1]), head[2] === undefined ? undefined : Number(head[2])]
    const textStart = at + head[0].length
    const end = textStart + Number(head[3])
    if (journal[end] !== "\n") break
    const text = journal.slice(textStart, end)
    const line = journal.slice(at, end + 1)
    at = end + 1
    const results =
      count === undefined
        ? [await StoredResult.decode(text, placeOf(batchKey, first), codec, format)]
        : readShared(text, count, codec, format)
    if (results === undefined || results.some((_, place) => found.has(first + place))) hasHole = true
    else
      for (const [place, result] of results.entries())
        found.set(first + place, { line: place === 0 ? line : "", result })
  }
  return { results: found, isDamaged: hasHole || at < journal.length }
}

// Undefined where not even the number of operations is certain.
const readShared = (
  text: string,
  count: number,
  codec: StoredResult.ResultCodec | undefined,
  format: ValueFormat,
): ReadonlyArray<OperationResult> | undefined => {
  if (count < 1 || count > maxOperationsPerLine) return undefined
  // Shared lines are never encoded, so one that is found where a codec protects results is forged.
  const results = codec === undefined ? StoredResult.readAll(text, format) : undefined
  if (results === undefined) return Array.from({ length: count }, StoredResult.unreadable)
  return results.length === count ? results : undefined
}
