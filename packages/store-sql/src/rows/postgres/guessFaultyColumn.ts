import type { Cell } from "./postgresText.ts"
import type { ColumnSchema, TableSchema } from "../TableSchema.ts"

/**
 * Guesses which column caused a data exception of PostgreSQL. Returns an empty list if no column can be the cause.
 *
 * **Details** A data exception does not name its column. Columns whose values are certainly valid are excluded. Of the
 * others, the one whose value or type the message mentions is the most likely; both appear in every language.
 *
 * @internal
 */
export const guessFaultyColumn = (
  table: TableSchema,
  message: string,
  columns: ReadonlyArray<string>,
  cells: ReadonlyArray<Cell>,
): ReadonlyArray<string> => {
  let mostLikely: { readonly name: string; readonly score: number } | undefined
  for (const [index, name] of columns.entries()) {
    const cell = cells[index]
    const column = table.columns.get(name)
    if (column === undefined || cell === undefined || cell === null || isValid(column, cell)) continue
    const score = scoreOf(column, cell, message)
    if (mostLikely === undefined || score > mostLikely.score) mostLikely = { name, score }
  }
  return mostLikely === undefined ? [] : [mostLikely.name]
}

const scoreOf = ({ type, encoding }: ColumnSchema, cell: string, message: string): number => {
  const element = type.replace(/(\[\])+$/, "").replace(/^jsonb$/, "json")
  const namesType = new RegExp(`(^|[^\\w])${element.replaceAll(/[^\w ]/g, "\\$&")}($|[^\\w])`).test(message) ? 2 : 0
  if (cell !== "" && message.includes(`"${cell}"`)) return 4 + namesType
  // Messages about these types contain neither the type nor the whole value.
  return namesType + (encoding === "array" || encoding === "json-array" || /range$|^bit|^bytea$/.test(type) ? 1 : 0)
}

const wholeNumber = /^\s*[+-]?\d+\s*$/
const number = /^\s*([+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|[+-]?inf(inity)?)\s*$/i
const moment = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/
const bits: Readonly<Record<string, bigint>> = { smallint: 15n, integer: 31n, bigint: 63n }

// Returns whether the value is certainly valid. `false` means that it may be invalid.
const isValid = ({ type, declaredType, encoding }: ColumnSchema, cell: string): boolean => {
  if (encoding === "json") return isJson(cell)
  switch (type) {
    case "text":
      return true
    case "character varying":
    case "bpchar":
      return fitsLength(declaredType, cell)
    case "smallint":
    case "integer":
    case "bigint":
      return wholeNumber.test(cell) && isWithin(BigInt(cell.trim().replace(/^\+/, "")), bits[type] ?? 0n)
    case "numeric":
    case "double precision":
      return number.test(cell) && isRepresentable(declaredType, Number(cell))
    case "real":
      return number.test(cell) && !(Number.isFinite(Number(cell)) && Math.abs(Number(cell)) > 3.4e38)
    case "boolean":
      return /^(t(rue)?|f(alse)?|y(es)?|no?|on|off|1|0)$/i.test(cell.trim())
    case "uuid":
      return /^[{]?[\da-f]{8}(-?[\da-f]{4}){3}-?[\da-f]{12}[}]?$/i.test(cell)
    case "bytea":
      return /^\\x([\da-f]{2})*$/i.test(cell)
    case "date":
    case "timestamp without time zone":
    case "timestamp with time zone":
      return moment.test(cell) && isDate(cell.slice(0, 10)) && !Number.isNaN(Date.parse(cell.replace(" ", "T")))
    default:
      return false
  }
}

const isWithin = (value: bigint, width: bigint): boolean => value < 1n << width && value >= -(1n << width)

const fitsLength = (declaredType: string, cell: string): boolean => {
  if (declaredType === "character varying") return true
  const limit = /\((\d+)\)$/.exec(declaredType)?.[1]
  return limit !== undefined && [...cell].length <= Number(limit)
}

const isRepresentable = (declaredType: string, value: number): boolean => {
  const [, precision, scale = "0"] = /^numeric\((\d+),(-?\d+)\)$/.exec(declaredType) ?? []
  if (precision === undefined) return declaredType === "numeric" || Number.isFinite(value)
  return Math.abs(value) < 10 ** (Number(precision) - Number(scale)) - 0.5 * 10 ** -Number(scale)
}

// `Date` accepts a day beyond the end of its month and moves it to the next month.
const isDate = (day: string): boolean => {
  const date = new Date(day)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day)
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
