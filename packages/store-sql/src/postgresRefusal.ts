/**
 * Which errors of PostgreSQL concern a row, and what they say of it.
 */
import type { Refusal } from "./ManyRows.ts"
import type { Cell } from "./postgresText.ts"
import type { Row } from "./Session.ts"
import type { ColumnFacts, ConstraintFacts, TableFacts } from "./TableFacts.ts"

/**
 * Whether an error concerns a row: data exceptions, constraints, WITH CHECK OPTION, and what triggers raise.
 *
 * @internal
 */
export const isPostgresRowError = (error: unknown): boolean =>
  error instanceof Error &&
  "code" in error &&
  typeof error.code === "string" &&
  /^(22|23|44)...$|^P0001$/.test(error.code)

/**
 * What the database's report of a row means. `cells` are what was sent for the columns, in the same order.
 *
 * @internal
 */
export const toPostgresRefusal = (
  facts: TableFacts,
  report: Row,
  columns: ReadonlyArray<string>,
  cells: ReadonlyArray<Cell>,
): Refusal => {
  const state = String(report["~state"])
  const message = String(report["~message"])
  const constraint = textOf(report["~constraint"])
  const known = constraint === undefined ? undefined : facts.constraints.get(constraint)
  const refusal = (kind: Refusal["kind"], found: ReadonlyArray<string>): Refusal => ({
    kind,
    message,
    columns: found,
    ...(constraint !== undefined && { constraint }),
  })
  switch (state) {
    case "23505":
    case "23P01":
      return refusal("unique", known?.columns ?? keyColumns(report))
    case "23503":
    case "23001":
      return refusal("foreign-key", known?.columns ?? (columns.length === 0 ? [] : keyColumns(report)))
    case "23502":
      return refusal(
        "not-null",
        [textOf(report["~column"]) ?? ""].filter((name) => name !== ""),
      )
    case "23514":
      return refusal("check", known?.columns ?? typed(facts, columns, textOf(report["~type"])))
    default:
      if (state.startsWith("22")) return refusal("type", blame(facts, { state, message }, columns, cells))
      return refusal(checkKind(known), known?.columns ?? [])
  }
}

const checkKind = (known: ConstraintFacts | undefined) => known?.kind ?? "check"

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

// "Key (tenant, email)=(…) already exists", in whatever language: the columns of a constraint that is not known.
const keyColumns = (report: Row): ReadonlyArray<string> =>
  /\(([^()]+)\)=\(/.exec(String(report["~detail"] ?? ""))?.[1]?.split(", ") ?? []

// A domain's constraint names its type, not the column.
const typed = (facts: TableFacts, columns: ReadonlyArray<string>, type: string | undefined) =>
  columns.filter((name) => type !== undefined && facts.columns.get(name)?.declared === type).slice(0, 1)

// Data exceptions name no column. The message has the type's name and often the value, whatever its language.
const blame = (
  facts: TableFacts,
  { state, message }: { readonly state: string; readonly message: string },
  columns: ReadonlyArray<string>,
  cells: ReadonlyArray<Cell>,
): ReadonlyArray<string> => {
  let best: { readonly name: string; readonly score: number } | undefined
  for (const [index, name] of columns.entries()) {
    const cell = cells[index]
    const column = facts.columns.get(name)
    if (column === undefined || cell === undefined || cell === null) continue
    const score = suspicion(column, cell, state, message)
    if (score > (best?.score ?? 0)) best = { name, score }
  }
  return best === undefined ? [] : [best.name]
}

const suspicion = (column: ColumnFacts, cell: string, state: string, message: string): number => {
  const element = column.type.replace(/(\[\])+$/, "")
  const names = message.includes(`${column.declared}`) ? 2 : ends(message, element) ? 1 : 0
  if (state === "22001") return isTooLong(column, cell) ? 4 + names : 0
  if (state === "22003") return isOutOfRange(column, cell) ? 4 + names : 0
  if (state === "22021") return cell.includes("\0") ? 4 : 0
  const quotes = message.includes(`"${cell}"`) ? 4 : 0
  if (column.form === "json" || column.form === "json-array") return names > 0 && !isJson(cell) ? 4 : 0
  if (column.form === "array" && names > 0) return 3
  return names === 0 && !/^(date|time|interval)/.test(element) ? 0 : names + quotes
}

const ends = (message: string, type: string): boolean =>
  new RegExp(`(^|[^\\w])${type.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}($|[^\\w])`).test(message)

const isTooLong = ({ declared }: ColumnFacts, cell: string): boolean => {
  const limit = /\((\d+)\)/.exec(declared)?.[1]
  return limit !== undefined && [...cell].length > Number(limit)
}

const whole: Readonly<Record<string, bigint>> = { smallint: 15n, integer: 31n, bigint: 63n }

const isOutOfRange = ({ type, declared }: ColumnFacts, cell: string): boolean => {
  const bits = whole[type]
  if (bits !== undefined) {
    if (!/^\s*[+-]?\d+\s*$/.test(cell)) return false
    const value = BigInt(cell.trim().replace(/^\+/, ""))
    return value >= 1n << bits || value < -(1n << bits)
  }
  const [, precision, scale = "0"] = /^numeric\((\d+),?(-?\d+)?\)/.exec(declared) ?? []
  if (precision !== undefined)
    return Math.abs(Number(cell)) >= 10 ** (Number(precision) - Number(scale)) - 0.5 * 10 ** -Number(scale)
  return (
    (type === "real" && Math.abs(Number(cell)) > 3.4e38) ||
    (type === "double precision" && !Number.isFinite(Number(cell)))
  )
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
