/**
 * Which errors of MySQL and MariaDB concern a row, and what they say of it.
 */
import type { Refusal } from "./ManyRows.ts"
import type { TableFacts } from "./TableFacts.ts"

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
 * What an error says of its row. The names in messages stand between quotation marks, whatever their language.
 *
 * @internal
 */
export const toMysqlRefusal = (
  facts: TableFacts,
  { errno, state, message }: { readonly errno: number; readonly state: string; readonly message: string },
): Refusal => {
  const kind = numbers[errno] ?? (state.startsWith("22") ? "type" : "check")
  const known = [...facts.columns.keys()]
  switch (kind) {
    case "unique": {
      const named = /'([^']*)'[^']*$/.exec(message)?.[1] ?? ""
      const constraint = facts.constraints.has(named) ? named : named.slice(named.indexOf(".") + 1)
      return { kind, message, constraint, columns: facts.constraints.get(constraint)?.columns ?? [] }
    }
    case "foreign-key": {
      const constraint = /CONSTRAINT `((?:[^`]|``)*)`/i.exec(message)?.[1]
      const columns = (constraint === undefined ? undefined : facts.constraints.get(constraint)?.columns) ?? []
      return { kind, message, columns, ...(constraint !== undefined && { constraint }) }
    }
    case "check": {
      const named = /[`']((?:[^`'])*)[`']/.exec(message)?.[1]
      const constraint =
        named !== undefined && !facts.constraints.has(named) ? named.slice(named.lastIndexOf(".") + 1) : named
      const columns = (constraint === undefined ? undefined : facts.constraints.get(constraint)?.columns) ?? []
      return {
        kind: isJsonCheck(facts, constraint) ? "type" : kind,
        message,
        columns,
        ...(constraint !== undefined && { constraint }),
      }
    }
    default: {
      // The value may be quoted before the column, as in "Incorrect integer value: 'x' for column `d`.`t`.`age` at row 1".
      const quoted = [...message.matchAll(/[`']((?:[^`'])*)[`']/g)].map(([, name = ""]) => name)
      const column = quoted.findLast((name) => known.includes(name))
      return { kind, message, columns: column === undefined ? [] : [column] }
    }
  }
}

// MariaDB's JSON is text with a check that bears the column's name.
const isJsonCheck = (facts: TableFacts, constraint: string | undefined): boolean => {
  const column = constraint === undefined ? undefined : facts.columns.get(constraint)
  return (
    column?.type === "longtext" && column.declared === "longtext" && column.collation?.endsWith("utf8mb4_bin") === true
  )
}
