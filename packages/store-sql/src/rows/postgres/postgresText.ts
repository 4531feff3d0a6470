/**
 * Converts values to PostgreSQL's text format, and many values to one array literal.
 *
 * Arrays are sent as text that the statement casts, so all drivers send the same and need not know the type. Values have
 * the same text as with the drivers' own conversion.
 */
import type { ColumnSchema } from "../TableSchema.ts"

/** A value in text format. @internal */
export type Cell = string | null

/**
 * Converts a value of a column to text. With `writesUtc` a `Date` is written in UTC, as PGlite does, else in local time, as
 * `pg` does. It matters for columns without a time zone.
 *
 * @internal
 */
export const toCell = (value: unknown, column: ColumnSchema | undefined, writesUtc: boolean): Cell => {
  if (value === null || value === undefined) return null
  switch (column?.encoding) {
    case "json":
      return typeof value === "string" ? value : JSON.stringify(value)
    case "array":
    case "json-array":
      if (Array.isArray(value)) return nestedArray(value, column.encoding === "json-array", writesUtc)
  }
  return scalar(value, writesUtc)
}

const scalar = (value: unknown, writesUtc: boolean): string => {
  switch (typeof value) {
    case "string":
      return value
    case "number":
    case "bigint":
    case "boolean":
      return String(value)
    case "object":
      break
    default:
      throw new TypeError(
        `PostgreSQL cannot store a ${typeof value}: pass text, a number, a date, bytes or a JSON value`,
      )
  }
  if (value instanceof Date) return writesUtc ? value.toISOString() : localTime(value)
  if (ArrayBuffer.isView(value)) {
    return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}`
  }
  if (value !== null && "toPostgres" in value && typeof value.toPostgres === "function") {
    return String(value.toPostgres((inner: unknown) => scalar(inner, writesUtc)))
  }
  return JSON.stringify(value)
}

const nestedArray = (values: ReadonlyArray<unknown>, json: boolean, writesUtc: boolean): string =>
  `{${values
    .map((value) => {
      if (value === null || value === undefined) return "NULL"
      if (json) return quoted(typeof value === "string" ? value : JSON.stringify(value))
      return Array.isArray(value) ? nestedArray(value, json, writesUtc) : quoted(scalar(value, writesUtc))
    })
    .join(",")}}`

/** The error for a text with a NUL character, which cannot be sent to PostgreSQL. @internal */
export class NulCharacterError extends Error {
  constructor() {
    super("PostgreSQL cannot store a text with a NUL character (U+0000): remove it from the text")
  }
}

/**
 * Converts cells to an array literal, for `text[]` or any array type whose delimiter is a comma. Throws a
 * `NulCharacterError`.
 *
 * @internal
 */
export const toArrayLiteral = (cells: ReadonlyArray<Cell>): string => {
  let literal = "{"
  for (let index = 0; index < cells.length; index++) {
    const cell = cells[index] as Cell
    if (index > 0) literal += ","
    literal += cell === null ? "NULL" : quoted(cell)
  }
  if (literal.includes("\0")) throw new NulCharacterError()
  return `${literal}}`
}

const special = /["\\]/

const quoted = (text: string): string => `"${special.test(text) ? text.replaceAll(/["\\]/g, "\\$&") : text}"`

/**
 * Converts a cell to an SQL literal that is valid for every setting of `standard_conforming_strings`.
 *
 * @internal
 */
export const toLiteral = (cell: Cell): string => {
  if (cell === null) return "null"
  const text = cell.includes("'") ? cell.replaceAll("'", "''") : cell
  return text.includes("\\") ? `E'${text.replaceAll("\\", "\\\\")}'` : `'${text}'`
}

const localTime = (date: Date): string => {
  const year = date.getFullYear()
  const offset = -date.getTimezoneOffset()
  const day = `${pad(year < 1 ? 1 - year : year, 4)}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`
  const zone = `${offset < 0 ? "-" : "+"}${pad(Math.floor(Math.abs(offset) / 60))}:${pad(Math.abs(offset) % 60)}`
  return `${day}T${time}${zone}${year < 1 ? " BC" : ""}`
}

const pad = (value: number, digits = 2): string => String(value).padStart(digits, "0")
