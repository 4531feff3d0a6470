/**
 * Which errors of SQLite concern a row, and what they say of it.
 */
import type { Refusal } from "../RowDialect.ts"
import { mentioned, type TableSchema } from "../TableSchema.ts"

const constraint = 19
const mismatch = 20
const tooBig = 18
const checkFailed = 275
const datatype = 3091

/** @internal */
export const isSqliteRowError = (error: unknown): error is SqliteError =>
  error instanceof Error &&
  "errcode" in error &&
  typeof error.errcode === "number" &&
  [constraint, mismatch, tooBig].includes(error.errcode & 0xff)

interface SqliteError extends Error {
  readonly errcode: number
}

/** What an error says of its row; for a foreign key, which one it is, has to be asked. @internal */
export const toSqliteRefusal = (facts: TableSchema, { errcode, message }: SqliteError): Refusal => {
  const [, what = "", rest = ""] = /^([A-Z ]+) constraint failed(?:: (.*))?$/s.exec(message) ?? []
  const names = rest.split(", ").map((name) => name.slice(name.lastIndexOf(".") + 1))
  const columns = names.filter((name) => facts.columns.has(name))
  if (errcode === datatype)
    return {
      kind: "type",
      message,
      columns: mentioned(message.slice(message.lastIndexOf(".") + 1), facts.columns.keys()),
    }
  switch (what) {
    case "UNIQUE":
    case "PRIMARY KEY":
      return { kind: "unique", message, columns }
    case "NOT NULL":
      return { kind: "not-null", message, columns }
    case "FOREIGN KEY":
      return { kind: "foreign-key", message, columns: [] }
    case "CHECK": {
      const known = facts.constraints.get(rest)
      return {
        kind: "check",
        message,
        columns: known?.columns ?? mentioned(rest, facts.columns.keys()),
        ...(known !== undefined && { constraint: rest }),
      }
    }
  }
  if (errcode === checkFailed || (errcode & 0xff) === constraint) return { kind: "check", message, columns: [] }
  // "datatype mismatch": only the row's number has a type that is always enforced.
  const numbers = [...facts.columns.values()].filter(({ counter }) => counter)
  return { kind: "type", message, columns: numbers.map(({ name }) => name) }
}
