import type { Cell } from "./postgresText.ts"
import type { ColumnSchema, TableSchema } from "../TableSchema.ts"

/**
 * The column that a data exception of PostgreSQL is about; none if nothing points to one.
 *
 * **Details** Data exceptions name no column. Columns whose values are certainly fine are left out; of the others, the
 * message points to one by the value or by the type's name, which stand in it whatever its language.
 *
 * @internal
 */
export const guessFaultyColumn = (
  facts: TableSchema,
  message: string,
  columns: ReadonlyArray<string>,
  cells: ReadonlyArray<Cell>,
): ReadonlyArray<string> => {
  let suspect: { readonly name: string; readonly score: number } | undefined
  for (const [index, name] of columns.entries()) {
    const cell = cells[index]
    const column = facts.columns.get(name)
    if (column === undefined || cell === undefined || cell === null || isFine(column, cell)) continue
    const score = scoreOf(column, cell, message)
    if (suspect === undefined || score > suspect.score) suspect = { name, score }
  }
  return suspect === undefined ? [] : [suspect.name]
}

const scoreOf = ({ type, form }: ColumnSchema, cell: string, message: string): number => {
  const element = type.replace(/(\[\])+$/, "").replace(/^jsonb$/, "json")
  const named = new RegExp(`(^|[^\\w])${element.replaceAll(/[^\w ]/g, "\\$&")}($|[^\\w])`).test(message) ? 2 : 0
  if (cell !== "" && message.includes(`"${cell}"`)) return 4 + named
  // Messages about these say neither their type nor the whole of the value.
  return named + (form === "array" || form === "json-array" || /range$|^bit|^bytea$/.test(type) ? 1 : 0)
}

const wholeNumber = /^\s*[+-]?\d+\s*$/
const number = /^\s*([+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|[+-]?inf(inity)?)\s*$/i
const moment = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/
const bits: Readonly<Record<string, bigint>> = { smallint: 15n, integer: 31n, bigint: 63n }

// Whether the value certainly fits; `false` says no more than that it may not.
const isFine = ({ type, declared, form }: ColumnSchema, cell: string): boolean => {
  if (form === "json") return isJson(cell)
  switch (type) {
    case "text":
      return true
    case "character varying":
    case "bpchar":
      return fits(declared, cell)
    case "smallint":
    case "integer":
    case "bigint":
      return wholeNumber.test(cell) && isWithin(BigInt(cell.trim().replace(/^\+/, "")), bits[type] ?? 0n)
    case "numeric":
    case "double precision":
      return number.test(cell) && isRepresentable(declared, Number(cell))
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

const fits = (declared: string, cell: string): boolean => {
  if (declared === "character varying") return true
  const limit = /\((\d+)\)$/.exec(declared)?.[1]
  return limit !== undefined && [...cell].length <= Number(limit)
}

const isRepresentable = (declared: string, value: number): boolean => {
  const [, precision, scale = "0"] = /^numeric\((\d+),(-?\d+)\)$/.exec(declared) ?? []
  if (precision === undefined) return declared === "numeric" || Number.isFinite(value)
  return Math.abs(value) < 10 ** (Number(precision) - Number(scale)) - 0.5 * 10 ** -Number(scale)
}

// A day that its month does not have would be taken for one of the next month.
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
