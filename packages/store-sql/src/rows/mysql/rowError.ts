/**
 * Recognises errors of MySQL and MariaDB that are about one row, and reads their kind, constraint and columns.
 */
import type { RowError } from "../RowDialect.ts"
import type { TableSchema } from "../TableSchema.ts"

/** Error numbers of row errors that their SQLSTATE does not identify, and those of class 23. */
const kinds: Readonly<Record<number, RowError["kind"]>> = {
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

/** The number of an error that a trigger signals. */
const signal = 1644

// Class 45 and the classes that the SQL standard leaves to applications.
const signalledStates = /^(45|[5-9I-Z])/

/** The error numbers of row errors, for the routine. @internal */
export const mysqlRowErrorNumbers = Object.keys(kinds).join(",")

/** Returns whether an error is about one row. @internal */
export const isMysqlRowError = (error: unknown): error is MysqlError =>
  error instanceof Error &&
  "errno" in error &&
  typeof error.errno === "number" &&
  (error.errno in kinds ||
    (error.errno === signal && "sqlState" in error && signalledStates.test(String(error.sqlState))) ||
    ("sqlState" in error && typeof error.sqlState === "string" && /^22...$|^45000$/.test(error.sqlState)))

interface MysqlError extends Error {
  readonly errno: number
  readonly sqlState?: string
}

/**
 * Reads the kind, the constraint and the columns of a row error.
 *
 * **Details** Messages are in the server's language, but they quote the names of constraints and columns. Quoted values may
 * stand before these names, never after them.
 *
 * @internal
 */
export const toMysqlRowError = (
  table: TableSchema,
  { errno, state, message }: { readonly errno: number; readonly state: string; readonly message: string },
): RowError => {
  const kind = kinds[errno] ?? (state.startsWith("22") ? "type" : "check")
  // A trigger signals any SQLSTATE; MySQL proposes 45000.
  if (errno === signal && state !== "45000") return { kind, message, columns: [], sqlState: state }
  if (kind === "not-null" || kind === "type") {
    const column = lastQuoted(message, table.columns.keys())
    return { kind, message, columns: column === undefined ? [] : [column] }
  }
  const names = [...table.constraints].flatMap(([name, constraint]) => (constraint.kind === kind ? [name] : []))
  const constraint = lastQuoted(message, names)
  if (constraint === undefined) return { kind, message, columns: [] }
  const columns = table.constraints.get(constraint)?.columns ?? []
  return { kind: kind === "check" && isJsonCheck(table, constraint) ? "type" : kind, message, constraint, columns }
}

// Names may include the name of the table: 'users.email', `users.age`.
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

// In MariaDB a JSON column is a text column with a check constraint of the same name.
const isJsonCheck = (table: TableSchema, constraint: string | undefined): boolean => {
  const column = constraint === undefined ? undefined : table.columns.get(constraint)
  return (
    column?.type === "longtext" &&
    column.declaredType === "longtext" &&
    column.collatedSql?.endsWith("utf8mb4_bin") === true
  )
}
