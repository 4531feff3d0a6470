/**
 * Turns constraint violations that handlers throw into failures.
 */
import type { Failure } from "@multistatus/core"

import type { DatabaseDialect } from "../database/DatabaseUrl.ts"
import { isMysqlRowError, toMysqlRowError } from "./mysql/rowError.ts"
import { isPostgresRowError, toPostgresRowError } from "./postgres/rowError.ts"
import type { RowError } from "./RowDialect.ts"
import { isSqliteRowError, toSqliteRowError } from "./sqlite/rowError.ts"
import type { ColumnSchema, TableSchema } from "./TableSchema.ts"
import { toFailure, type Violation } from "./Violation.ts"

/** Options of `sqlErrors`. */
export interface SqlErrorsOptions {
  /** Returns the failure for a violation. Default, and for `undefined`: the failure of `toFailure`. */
  readonly describe?: ((violation: Violation) => Failure | undefined) | undefined
}

/**
 * Makes a function for the option `mapError` that turns an error of the database about one row, or an error whose cause is
 * one, into a failure: `DUPLICATE`, `VALIDATION_ERROR` or `CONFLICT`. It returns `undefined` for all other errors, such as a
 * syntax error.
 *
 * **Details** The failures are those of `insertMany`, but only what the error itself reports is known: MySQL and MariaDB do not
 * name the columns of a unique constraint, and only SQLite names those of a CHECK constraint. `action` of the violation is
 * `delete` if other rows refer to the row, else `insert`.
 */
export const sqlErrors = (
  dialect: DatabaseDialect,
  { describe }: SqlErrorsOptions = {},
): ((error: unknown) => Failure | undefined) => {
  if (!Object.hasOwn(readers, dialect)) {
    throw new TypeError(
      `sqlErrors needs the dialect (${Object.keys(readers).join(", ")}), but got ${String(dialect)}: pass "dialect" of openDatabase(url)`,
    )
  }
  const read = readers[dialect]
  return (error) => {
    for (let current = error, depth = 0; current instanceof Error && depth < 8; current = current.cause, depth++) {
      const found = read(current)
      if (found === undefined) continue
      const [column] = found.columns
      const violation: Violation = { ...found, index: 0, ...(column !== undefined && { column }) }
      return describe?.(violation) ?? toFailure(violation)
    }
    return undefined
  }
}

type Reader = (error: Error) => (RowError & Pick<Violation, "table" | "action">) | undefined

const readPostgres: Reader = (error) => {
  if (!isPostgresRowError(error)) return undefined
  const { code, constraint, column, dataType, detail, table } = error as Error & {
    readonly [Field in "code" | "constraint" | "column" | "dataType" | "detail" | "table"]?: string
  }
  const columns = namesIn(/\(([^()]+)\)=\(/.exec(detail ?? "")?.[1], '"')
  const report = {
    "~state": code,
    "~message": error.message,
    "~constraint": constraint,
    "~column": column,
    "~type": dataType,
    "~detail": detail,
  }
  // A server with messages in another language does not tell this: the failure is then that of an insert.
  const isReferredTo = code === "23001" || (code === "23503" && /^Key .* is still referenced/.test(detail ?? ""))
  return {
    ...toPostgresRowError(tableWith(columns), report, [], []),
    table: table ?? unnamedTable,
    action: isReferredTo ? "delete" : "insert",
  }
}

const readMysql: Reader = (error) => {
  if (!isMysqlRowError(error)) return undefined
  const { errno, sqlState = "", message } = error
  const columns = [
    ...namesIn(/FOREIGN KEY \(([^)]+)\)/.exec(message)?.[1], "`"),
    ...[...message.matchAll(/'([^']+)'/g)].map(([, name = ""]) => name),
  ]
  const rowError = toMysqlRowError(tableWith(columns), { errno, state: sqlState, message })
  const isForeignKey = rowError.kind === "foreign-key"
  return {
    ...rowError,
    columns: isForeignKey ? columns.slice(0, 1) : rowError.columns,
    table: unnamedTable,
    action: errno === 1217 || errno === 1451 ? "delete" : "insert",
  }
}

const readSqlite: Reader = (error) => {
  if (!isSqliteRowError(error)) return undefined
  const qualified = [...error.message.matchAll(/([^\s,:]+)\.([^\s,]+)/g)]
  const columns = qualified.map(([, , name = ""]) => name)
  return {
    ...toSqliteRowError(tableWith(columns), error),
    table: qualified[0]?.[1] ?? unnamedTable,
    action: "insert",
  }
}

const readers: Readonly<Record<DatabaseDialect, Reader>> = {
  postgres: readPostgres,
  pglite: readPostgres,
  mysql: readMysql,
  sqlite: readSqlite,
}

/** Stands for the table in messages if the error does not name it. */
const unnamedTable = "the table"

const namesIn = (list: string | undefined, quote: string): ReadonlyArray<string> =>
  (list ?? "").split(", ").flatMap((name) => {
    const plain = name.startsWith(quote) && name.endsWith(quote) ? name.slice(1, -1) : name
    return /^[\p{L}_][\p{L}\p{N}_$ -]*$/u.test(plain) ? [plain] : []
  })

/** Makes the schema of a table of which only the names of some columns are known. */
const tableWith = (names: ReadonlyArray<string>): TableSchema => ({
  quotedName: "",
  columns: new Map(names.map((name) => [name, columnOf(name)])),
  constraints: new Map(),
  uniques: [],
  knowsUniques: false,
  selfReferencingColumns: [],
  mayAlterRows: false,
  routine: undefined,
  supportsReturning: true,
  statementCache: new Map(),
})

const columnOf = (name: string): ColumnSchema => ({
  name,
  type: "",
  declaredType: "",
  defaultSql: undefined,
  isGenerated: false,
  isAutoIncrement: false,
  encoding: "text",
})
