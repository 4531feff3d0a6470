/**
 * Parses a large body operation by operation, and lets the event loop serve others in between. Operations that are too large
 * are not parsed at all: they are refused anyway, and a single one with many member names would take long.
 */
import { JsonText } from "../batch/JsonText.ts"
import { yieldToEventLoop } from "../platform/yieldToEventLoop.ts"

/** A parsed body. */
export interface SlicedBody {
  readonly value: unknown
  /** Sizes of operations that were not parsed, by what stands in their place; undefined if all were parsed at once. */
  readonly oversized: ReadonlyMap<unknown, number> | undefined
}

/** Milliseconds for which parsing may block the event loop, apart from a single operation. */
const sliceMs = 5

/** What is kept of an operation that is too large, so that it can be answered: its id and other short members. */
const keptMembers = 64
const keptLength = 4_096

/** Parses the text of an envelope; rejects with a `SyntaxError` if it is not JSON. `list` is the member with the operations. */
export const parseInSlices = async (text: string, list: string, operationBytes: number): Promise<SlicedBody> => {
  const oversized = new Map<unknown, number>()
  const items: Array<unknown> = []
  let sliceStart = performance.now()
  try {
    const slices = slicesOf(text, list)
    if (slices === undefined) return parseWhole(text)
    const envelope = JSON.parse(slices.rest) as Record<string, unknown>
    for (const operation of slices.operations) {
      const { start, end, raw } = operation
      // A character has at least one byte.
      const isOversized = end - start > operationBytes && (raw.startsWith("{") || raw.startsWith("["))
      const item = isOversized ? standIn(operation, raw) : (JSON.parse(raw) as unknown)
      if (isOversized) oversized.set(item, end - start)
      items.push(item)
      if (performance.now() - sliceStart <= sliceMs) continue
      await new Promise<void>(yieldToEventLoop)
      sliceStart = performance.now()
    }
    return { value: { ...envelope, [list]: items }, oversized }
  } catch {
    // The message of the error names a position in the whole text.
    return parseWhole(text)
  }
}

const parseWhole = (text: string): SlicedBody => ({ value: JSON.parse(text) as unknown, oversized: undefined })

interface Slices {
  readonly operations: ReadonlyArray<JsonText>
  /** The text of the envelope with an empty list. */
  readonly rest: string
}

// Returns undefined if the text cannot be cut: what separates the operations is not what JSON has there.
const slicesOf = (text: string, list: string): Slices | undefined => {
  const value = new JsonText(text).member(list)
  const operations = value?.items
  if (value === undefined || operations === undefined || operations.length === 0) return undefined
  let position = value.start + 1
  for (const [index, { start, end }] of operations.entries()) {
    if (!(index === 0 ? /^[ \t\r\n]*$/ : /^[ \t\r\n]*,[ \t\r\n]*$/).test(text.slice(position, start))) return undefined
    position = end
  }
  if (!/^[ \t\r\n]*\]$/.test(text.slice(position, value.end))) return undefined
  return { operations, rest: `${text.slice(0, value.start)}[]${text.slice(value.end)}` }
}

const standIn = (operation: JsonText, raw: string): unknown =>
  raw.startsWith("[")
    ? []
    : Object.fromEntries(
        operation
          .shortMembers(keptMembers, keptLength)
          .map(([name, value]): readonly [string, unknown] => [name, JSON.parse(value.raw)]),
      )
