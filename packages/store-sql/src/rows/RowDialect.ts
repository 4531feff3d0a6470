/**
 * The interface that `insertMany`, `updateMany` and `deleteMany` have to a database, and helpers for its implementations.
 */
import type { Row, Session } from "../database/Session.ts"
import { tableSchemaOf } from "./tableSchemaOf.ts"
import type { TableSchema } from "./TableSchema.ts"
import type { Violation } from "./Violation.ts"

/** A column that at least one row sets. @internal */
export interface GivenColumn {
  /** The name in the caller's rows. */
  readonly given: string
  /** The name in the database. */
  readonly name: string
}

/** One call of `insertMany`, `updateMany` or `deleteMany`, or a part of it. @internal */
export interface RowTask {
  readonly session: Session
  readonly table: TableSchema
  /** Name of the key column in the database. */
  readonly key: string
  readonly columns: ReadonlyArray<GivenColumn>
  /** Inserts: the new rows. Updates: the new values. Deletes: empty. */
  readonly rows: ReadonlyArray<Row>
  /** Updates and deletes: the keys, all distinct. Inserts: empty. */
  readonly keys: ReadonlyArray<unknown>
  /** Names in the database of the columns to return. */
  readonly returning: ReadonlyArray<string> | undefined
}

/** The error of a database for one row. Names are those in the database. @internal */
export type RowError = Pick<Violation, "kind" | "constraint" | "columns" | "message" | "sqlState">

/**
 * The outcome of one row: its returned columns, the database's error, or `undefined` if no row has its key.
 *
 * @internal
 */
export type RowOutcome = { readonly row: Row | undefined } | { readonly error: RowError } | undefined

/** The outcome of a row that succeeded and returns no columns. @internal */
export const succeeded: RowOutcome = { row: undefined }

/** Runs tasks on one kind of database. Outcomes are in the order of the task's rows or keys. @internal */
export interface RowDialect {
  readonly insert: (task: RowTask) => Promise<ReadonlyArray<RowOutcome>>
  readonly update: (task: RowTask) => Promise<ReadonlyArray<RowOutcome>>
  readonly remove: (task: RowTask) => Promise<ReadonlyArray<RowOutcome>>
}

/**
 * Makes sure that the schema of a table is cached, and maps the columns that rows set to names in the database.
 *
 * @internal
 */
export const resolveTable = async (
  session: Session,
  tableName: string,
  rows: ReadonlyArray<Row>,
): Promise<{ readonly quotedName: string; readonly columns: ReadonlyArray<GivenColumn> }> => {
  const names = new Set<string>()
  for (const row of rows) {
    for (const name of Object.keys(row)) {
      const value = row[name]
      if (value === undefined) continue
      if (typeof value === "object" && value !== null && "toOperationNode" in value) {
        throw new TypeError(
          `The column "${name}" has an SQL expression: insertMany and updateMany take only plain values`,
        )
      }
      names.add(name)
    }
  }
  const columns = [...names].map((given) => ({ given, name: session.columnName(given) }))
  const quotedName = session.tableText(tableName)
  const table = await tableSchemaOf(session, quotedName)
  // An unknown column may have been added after the schema was cached.
  const isOutdated = columns.some(({ name }) => !table.columns.has(name))
  if (isOutdated) await tableSchemaOf(session, quotedName, { refresh: true })
  return { quotedName, columns }
}

/** Returns whether every row sets the column. @internal */
export const isInEveryRow = (rows: ReadonlyArray<Row>, column: GivenColumn | undefined): boolean =>
  column !== undefined && rows.every((row) => row[column.given] !== undefined)

/** Returns whether rows of a task may refer to each other through a foreign key to their own table. @internal */
export const mayDependOnEachOther = ({ table, rows, columns }: RowTask): boolean =>
  table.selfReferencingColumns.length > 0 &&
  (columns.length === 0 ||
    columns.some(
      ({ given, name }) =>
        table.selfReferencingColumns.includes(name) &&
        rows.some((row) => row[given] !== undefined && row[given] !== null),
    ))

/** Quotes a name for SQL. @internal */
export const quoteName = (session: Session, name: string): string =>
  session.dialect === "mysql" ? `\`${name.replaceAll("`", "``")}\`` : `"${name.replaceAll('"', '""')}"`
