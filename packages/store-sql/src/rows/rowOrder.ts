/**
 * The order in which rows are inserted: two calls that insert the same unique values must meet them in the same order,
 * or each waits for the other.
 */
import type { GivenColumn, RowTask } from "./RowDialect.ts"
import type { Row } from "../database/Session.ts"
import type { UniqueSchema } from "./TableSchema.ts"

/**
 * Something that is equal for values that any database compares as equal, numbers and letter case included.
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

/** @internal */
export interface RowOrder {
  /** Positions of the rows in the order, for a statement that stores all rows or none; `undefined`: as they come. */
  readonly order: ReadonlyArray<number> | undefined
  /** Positions of the rows in the order in which they are to be tried one by one; `undefined`: as they come. */
  readonly sequence: () => ReadonlyArray<number> | undefined
}

/**
 * Orders rows by the unique columns that they give: first by those that clients choose, last by the primary key.
 *
 * **Details** Rows that are alike in those columns keep their order, so that the first of them wins. Where rows are alike
 * in other unique columns too, trying them in another order could make another row win: then they are tried as they come.
 *
 * @internal
 */
export const orderRows = ({ table, columns, rows }: RowTask): RowOrder => {
  if (rows.length < 2) return unordered
  const given = new Map(columns.map((column) => [column.name, column]))
  const sets = table.uniques
    .filter((unique) => unique.columns.length > 0 && unique.columns.every((name) => given.has(name)))
    .sort((left, right) => Number(left.primary) - Number(right.primary))
  const [first, ...others] = sets
  if (first === undefined) return unordered
  const keys = keysOf(first, given, rows)
  const order = rows.map((_, index) => index).sort((left, right) => compare(keys[left], keys[right]) || left - right)
  return { order, sequence: () => (others.some((set) => hasTwins(keysOf(set, given, rows))) ? undefined : order) }
}

const unordered: RowOrder = { order: undefined, sequence: () => undefined }

/** What place in an order each position has. @internal */
export const ranksOf = (order: ReadonlyArray<number>): ReadonlyArray<number> => {
  const ranks = Array.from<number>({ length: order.length })
  for (const [rank, index] of order.entries()) ranks[index] = rank
  return ranks
}

// A row that lacks one of the values collides with no other.
const keysOf = (set: UniqueSchema, given: ReadonlyMap<string, GivenColumn>, rows: ReadonlyArray<Row>) => {
  const columns = set.columns.map((name) => given.get(name)?.given ?? name)
  const [only = ""] = columns
  return rows.map((row): string | undefined => {
    if (columns.some((column) => row[column] === undefined || row[column] === null)) return undefined
    return columns.length === 1 ? canonical(row[only]) : JSON.stringify(columns.map((column) => canonical(row[column])))
  })
}

const compare = (left = "", right = ""): number => (left < right ? -1 : left > right ? 1 : 0)

const hasTwins = (keys: ReadonlyArray<string | undefined>): boolean => {
  const present = keys.filter((key) => key !== undefined)
  return new Set(present).size < present.length
}

/** Positions of keys in ascending order. @internal */
export const ascending = (keys: ReadonlyArray<unknown>): ReadonlyArray<number> => {
  const texts = keys.map(canonical)
  return keys.map((_, index) => index).sort((left, right) => compare(texts[left], texts[right]) || left - right)
}
