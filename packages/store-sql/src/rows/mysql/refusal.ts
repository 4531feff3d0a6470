/**
 * Which errors of MySQL and MariaDB concern a row, and what they say of it.
 */
import type { Refusal } from "../RowDialect.ts"
import type { TableSchema } from "../TableSchema.ts"

/** Errors that concern a row although their SQLSTATE does not say so, and those of class 23. */
const numbers: Readonly<Record<number, Refusal["kind"]>> = {
  1022: "unique",
  1062: "unique",
  1169: "unique",
  1586: "unique",
  1048: "not-null",
  1263: "not-null",
  1364: "not-null",
  1216: "foreign-key",
  1217: "foreign-key",
  1451: "foreign-key",
  1452: "foreign-key",
  1557: "foreign-key",
  1761: "foreign-key",
  1762: "foreign-key",
  3819: "check",
  4025: "check",
  1264: "type",
  1265: "type",
  1292: "type",
  1366: "type",
  1367: "type",
  1406: "type",
  1411: "type",
  1690: "type",
  3140: "type",
  3903: "type",
}

/** The numbers of errors that concern a row, for the routine. @internal */
export const mysqlRowErrors = Object.keys(numbers).join(",")

/** @internal */
export const isMysqlRowError = (error: unknown): error is MysqlError =>
  error instanceof Error &&
  "errno" in error &&
  typeof error.errno === "number" &&
  (error.errno in numbers ||
    ("sqlState" in error && typeof error.sqlState === "string" && /^22...$|^45000$/.test(error.sqlState)))

interface MysqlError extends Error {
  readonly errno: number
  readonly sqlState?: string
}

/**
 * What an error says of its row.
 *
 * **Details** Messages come in the server's language, but name constraints and columns between quotation marks; values may
 * stand before them, never after.
 *
 * @internal
 */
export const toMysqlRefusal = (
  facts: TableSchema,
  { errno, state, message }: { readonly errno: number; readonly state: string; readonly message: string },
): Refusal => {
  const kind = numbers[errno] ?? (state.startsWith("22") ? "type" : "check")
  if (kind === "not-null" || kind === "type") {
    const column = lastQuoted(message, facts.columns.keys())
    return { kind, message, columns: column === undefined ? [] : [column] }
  }
  const names = [...facts.constraints].flatMap(([name, constraint]) => (constraint.kind === kind ? [name] : []))
  const constraint = lastQuoted(message, names)
  if (constraint === undefined) return { kind, message, columns: [] }
  const columns = facts.constraints.get(constraint)?.columns ?? []
  return { kind: kind === "check" && isJsonCheck(facts, constraint) ? "type" : kind, message, constraint, columns }
}

// Names may come with that of their table: 'users.email', `users.age`.
const lastQuoted = (message: string, names: Iterable<string>): string | undefined => {
  let last: { readonly name: string; readonly end: number } | undefined
  for (const name of names) {
    for (const quote of ["'", "`"]) {
      const tail = `${name}${quote}`
      const start = message.lastIndexOf(tail)
      const end = start + tail.length
      if (start < 1 || !(message[start - 1] === quote || message[start - 1] === ".")) continue
      if (last === undefined || end > last.end || (end === last.end && name.length > last.name.length))
        last = { name, end }
    }
  }
  return last?.name
}

// MariaDB's JSON is text with a check that bears the column's name.
const isJsonCheck = (facts: TableSchema, constraint: string | undefined): boolean => {
  const column = constraint === undefined ? undefined : facts.columns.get(constraint)
  return (
    column?.type === "longtext" && column.declared === "longtext" && column.collation?.endsWith("utf8mb4_bin") === true
  )
}
