/**
 * Recognises errors of SQLite that are about one row, and reads their kind, constraint and columns.
 */
import type { RowError } from "../RowDialect.ts"
import { columnsMentionedIn, type TableSchema } from "../TableSchema.ts"

const constraintCode = 19
const mismatchCode = 20
const tooBigCode = 18
const checkCode = 275
const datatypeCode = 3091

/** Returns whether an error is about one row. @internal */
export const isSqliteRowError = (error: unknown): error is SqliteError =>
  error instanceof Error &&
  "errcode" in error &&
  typeof error.errcode === "number" &&
  [constraintCode, mismatchCode, tooBigCode].includes(error.errcode & 0xff)

interface SqliteError extends Error {
  readonly errcode: number
}

/** Reads the kind, the constraint and the columns of a row error. SQLite does not report the columns of a foreign key. @internal */
export const toSqliteRowError = (table: TableSchema, { errcode, message }: SqliteError): RowError => {
  const [, type = "", detail = ""] = /^([A-Z ]+) constraint failed(?:: (.*))?$/s.exec(message) ?? []
  const names = detail.split(", ").map((name) => name.slice(name.lastIndexOf(".") + 1))
  const columns = names.filter((name) => table.columns.has(name))
  if (errcode === datatypeCode) {
    return {
      kind: "type",
      message,
      columns: columnsMentionedIn(message.slice(message.lastIndexOf(".") + 1), table.columns.keys()),
    }
  }
  switch (type) {
    case "UNIQUE":
    case "PRIMARY KEY":
      return { kind: "unique", message, columns }
    case "NOT NULL":
      return { kind: "not-null", message, columns }
    case "FOREIGN KEY":
      return { kind: "foreign-key", message, columns: [] }
    case "CHECK": {
      const check = table.constraints.get(detail)
      return {
        kind: "check",
        message,
        columns: check?.columns ?? columnsMentionedIn(detail, table.columns.keys()),
        ...(check !== undefined && { constraint: detail }),
      }
    }
  }
  if (errcode === checkCode || (errcode & 0xff) === constraintCode) return { kind: "check", message, columns: [] }
  // "datatype mismatch": outside of STRICT tables only an INTEGER PRIMARY KEY enforces its type.
  const keys = [...table.columns.values()].filter(({ isAutoIncrement }) => isAutoIncrement)
  return { kind: "type", message, columns: keys.map(({ name }) => name) }
}
