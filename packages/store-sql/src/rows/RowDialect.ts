/**
 * What the three statements on many rows have in common, whatever the database.
 */
import type { Row, Session } from "../database/Session.ts"
import { tableSchemaOf } from "./tableSchemaOf.ts"
import type { TableSchema } from "./TableSchema.ts"
import type { Violation } from "./Violation.ts"

/** A column that rows give: as the caller names it, and as the database does. @internal */
export interface GivenColumn {
  readonly given: string
  readonly name: string
}

/** @internal */
export interface RowTask {
  readonly session: Session
  readonly table: TableSchema
  /** The key column's name in the database. */
  readonly key: string
  readonly columns: ReadonlyArray<GivenColumn>
  /** Inserts: the new rows. Updates: the new values. Deletes: empty. */
  readonly rows: ReadonlyArray<Row>
  /** Updates and deletes: the keys, no two alike. */
  readonly keys: ReadonlyArray<unknown>
  /** Names in the database of the columns to answer with. */
  readonly returning: ReadonlyArray<string> | undefined
}

/** A violation as the database tells it: names are the database's. @internal */
export type Refusal = Pick<Violation, "kind" | "constraint" | "columns" | "message">

/** What became of one row; `undefined`: there was none with its key. @internal */
export type RowOutcome = { readonly row: Row | undefined } | { readonly refusal: Refusal } | undefined

/** Done, and nothing was asked for. @internal */
export const done: RowOutcome = { row: undefined }

/** @internal */
export interface RowDialect {
  readonly insert: (task: RowTask) => Promise<ReadonlyArray<RowOutcome>>
  readonly update: (task: RowTask) => Promise<ReadonlyArray<RowOutcome>>
  readonly remove: (task: RowTask) => Promise<ReadonlyArray<RowOutcome>>
}

/**
 * The columns that rows give, and the facts of their table.
 *
 * @internal
 */
export const survey = async (
  session: Session,
  table: string,
  rows: ReadonlyArray<Row>,
): Promise<{ readonly facts: TableSchema; readonly columns: ReadonlyArray<GivenColumn> }> => {
  const names = new Set<string>()
  for (const row of rows) {
    for (const name of Object.keys(row)) {
      const value = row[name]
      if (value === undefined) continue
      if (typeof value === "object" && value !== null && "toOperationNode" in value) {
        throw new TypeError(`The column "${name}" has an SQL expression; statements on many rows take plain values`)
      }
      names.add(name)
    }
  }
  const columns = [...names].map((given) => ({ given, name: session.columnName(given) }))
  const text = session.tableText(table)
  const facts = await tableSchemaOf(session, text)
  // A column that is not known yet may have been added since the table was looked up.
  const stale = columns.some(({ name }) => !facts.columns.has(name))
  return { facts: stale ? await tableSchemaOf(session, text, true) : facts, columns }
}

/** Whether every row gives the column. @internal */
export const givenByAll = (rows: ReadonlyArray<Row>, column: GivenColumn | undefined): boolean =>
  column !== undefined && rows.every((row) => row[column.given] !== undefined)

/** Whether rows of one call could depend on each other through the table's references to itself. @internal */
export const dependOnEachOther = ({ table, rows, columns }: RowTask): boolean =>
  table.selfReferences.length > 0 &&
  (columns.length === 0 ||
    columns.some(
      ({ given, name }) =>
        table.selfReferences.includes(name) && rows.some((row) => row[given] !== undefined && row[given] !== null),
    ))

/** The database's quotation of a name. @internal */
export const quoteName = (session: Session, name: string): string =>
  session.dialect === "mysql" ? `\`${name.replaceAll("`", "``")}\`` : `"${name.replaceAll('"', '""')}"`
