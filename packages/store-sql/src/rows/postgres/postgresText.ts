/**
 * Values in PostgreSQL's text form, and many of them in one array literal.
 *
 * Arrays are sent as text that the statement casts, so that every driver sends the same and no driver has to know the
 * type. Values become what the drivers themselves make of them.
 */
import type { ColumnSchema } from "../TableSchema.ts"

/** A value as it is sent. @internal */
export type Cell = string | null

/**
 * The text of a value for a column. `utc`: how a `Date` is written that the column stores without its zone; `pg` writes
 * local time, PGlite UTC.
 *
 * @internal
 */
export const toCell = (value: unknown, column: ColumnSchema | undefined, utc: boolean): Cell => {
  if (value === null || value === undefined) return null
  switch (column?.form) {
    case "json":
      return typeof value === "string" ? value : JSON.stringify(value)
    case "array":
    case "json-array":
      if (Array.isArray(value)) return nestedArray(value, column.form === "json-array", utc)
  }
  return scalar(value, utc)
}

const scalar = (value: unknown, utc: boolean): string => {
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
      throw new TypeError(`PostgreSQL cannot store a ${typeof value}`)
  }
  if (value instanceof Date) return utc ? value.toISOString() : localTime(value)
  if (ArrayBuffer.isView(value)) {
    return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}`
  }
  if (value !== null && "toPostgres" in value && typeof value.toPostgres === "function") {
    return String(value.toPostgres((inner: unknown) => scalar(inner, utc)))
  }
  return JSON.stringify(value)
}

const nestedArray = (values: ReadonlyArray<unknown>, json: boolean, utc: boolean): string =>
  `{${values
    .map((value) => {
      if (value === null || value === undefined) return "NULL"
      if (json) return quoted(typeof value === "string" ? value : JSON.stringify(value))
      return Array.isArray(value) ? nestedArray(value, json, utc) : quoted(scalar(value, utc))
    })
    .join(",")}}`

/** A text has a character with code zero, which PostgreSQL cannot even be sent. @internal */
export class ZeroCharacter extends Error {
  constructor() {
    super("A text has a character with code zero, which PostgreSQL cannot store")
  }
}

/**
 * An array literal of cells, for `text[]` or an array of any type whose elements are separated by commas. Throws a
 * `ZeroCharacter`.
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
  if (literal.includes("\0")) throw new ZeroCharacter()
  return `${literal}}`
}

const special = /["\\]/

const quoted = (text: string): string => `"${special.test(text) ? text.replaceAll(/["\\]/g, "\\$&") : text}"`

/**
 * A cell as an SQL literal, whatever `standard_conforming_strings` says.
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
