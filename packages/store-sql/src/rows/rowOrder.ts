/**
 * The order in which rows are inserted. Two calls that insert the same unique values must insert them in the same order to
 * avoid a deadlock.
 */
import type { GivenColumn, RowTask } from "./RowDialect.ts"
import type { Row } from "../database/Session.ts"
import type { UniqueSchema } from "./TableSchema.ts"

/**
 * Returns the same text for all values that some database may compare as equal, for example `7` and `"007"`, or texts that
 * differ only in case or accents.
 *
 * @internal
 */
export const canonical = (value: unknown): string => {
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")
  if (value instanceof Date) return value.toISOString()
  if (typeof value === "object" && value !== null) return JSON.stringify(value)
  const text = String(value)
  if (wholeNumber.test(text)) return BigInt(text.trim().replace(/^\+/, "")).toString()
  return (ascii.test(text) ? text : text.normalize("NFKD").replaceAll(/\p{M}/gu, "")).trim().toLowerCase()
}

const wholeNumber = /^\s*[+-]?\d+\s*$/
const ascii = /^[\x20-\x7e]*$/

/** The order of the rows of an insert, as positions. `undefined` is the order of the call. @internal */
export interface RowOrder {
  /** The order for one statement that inserts all rows or none. */
  readonly order: ReadonlyArray<number> | undefined
  /** Returns the order for statements on single rows. */
  readonly sequence: () => ReadonlyArray<number> | undefined
}

/**
 * Orders rows by the values of a unique index that they set, preferably not the primary key.
 *
 * **Details** Rows with equal values keep their order, so the first of them is inserted. If rows also have equal values in
 * another unique index, a different order could change which row is inserted. Then single rows keep the order of the call.
 *
 * @internal
 */
export const orderRows = ({ table, columns, rows }: RowTask): RowOrder => {
  if (rows.length < 2) return unordered
  const given = new Map(columns.map((column) => [column.name, column]))
  const indexes = table.uniques
    .filter((unique) => unique.columns.length > 0 && unique.columns.every((name) => given.has(name)))
    .sort((left, right) => Number(left.primary) - Number(right.primary))
  const [first, ...others] = indexes
  if (first === undefined) return unordered
  const keys = keysOf(first, given, rows)
  const order = rows.map((_, index) => index).sort((left, right) => compare(keys[left], keys[right]) || left - right)
  return {
    order,
    sequence: () => (others.some((index) => hasDuplicates(keysOf(index, given, rows))) ? undefined : order),
  }
}

const unordered: RowOrder = { order: undefined, sequence: () => undefined }

/** Returns the rank of each position in an order. @internal */
export const ranksOf = (order: ReadonlyArray<number>): ReadonlyArray<number> => {
  const ranks = Array.from<number>({ length: order.length })
  for (const [rank, index] of order.entries()) ranks[index] = rank
  return ranks
}

// A row without one of the values cannot be a duplicate, so it has no key.
const keysOf = (index: UniqueSchema, given: ReadonlyMap<string, GivenColumn>, rows: ReadonlyArray<Row>) => {
  const columns = index.columns.map((name) => given.get(name)?.given ?? name)
  const [onlyColumn = ""] = columns
  return rows.map((row): string | undefined => {
    if (columns.some((column) => row[column] === undefined || row[column] === null)) return undefined
    return columns.length === 1
      ? canonical(row[onlyColumn])
      : JSON.stringify(columns.map((column) => canonical(row[column])))
  })
}

const compare = (left = "", right = ""): number => (left < right ? -1 : left > right ? 1 : 0)

const hasDuplicates = (keys: ReadonlyArray<string | undefined>): boolean => {
  const present = keys.filter((key) => key !== undefined)
  return new Set(present).size < present.length
}

/** Returns the positions of keys in ascending order of the keys. @internal */
export const ascending = (keys: ReadonlyArray<unknown>): ReadonlyArray<number> => {
  const texts = keys.map(canonical)
  return keys.map((_, index) => index).sort((left, right) => compare(texts[left], texts[right]) || left - right)
}
