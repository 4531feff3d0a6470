/**
 * Calls the routine in PostgreSQL that runs a statement for each row if the statement on all rows fails.
 */
import { succeeded, type RowOutcome, type RowError, type RowTask } from "../RowDialect.ts"
import { type Cell, toArrayLiteral, toLiteral } from "./postgresText.ts"
import type { Row } from "../../database/Session.ts"
import { toPostgresRowError } from "./rowError.ts"
import { OutdatedSchemaError, versionCheck } from "./tableVersion.ts"

/** The statements and values of one call of the routine. @internal */
export interface RoutineCall {
  /** The statement on all rows. `$1` is an array of array literals, one per column. `undefined` if it has failed before. */
  readonly allRowsStatement: string | undefined
  readonly parameters: ReadonlyArray<Cell>
  /** The number of rows that `allRowsStatement` must return. Another number counts as a failure. */
  readonly expectedRows: number | undefined
  /** The statement on one row. Its parameters are the cells of the row and then its position, from 1. */
  readonly oneRowStatement: string
  readonly cellsOf: (index: number) => ReadonlyArray<Cell>
  /** The names of the columns of the last cells, to find the column at fault. */
  readonly columnNames: ReadonlyArray<string>
  /** The order in which single rows are run, as positions. */
  readonly sequence: ReadonlyArray<number> | undefined
  /** Whether `oneRowStatement` returns no rows. Every row without an error has then succeeded. */
  readonly returnsNothing: boolean
}

/**
 * Returns the leading columns of a result: the position of the row as `~n`, and null for each column of the error report.
 *
 * @internal
 */
export const reportColumns = (position: string): string =>
  `${position}::int4, null::text, null::text, null::text, null::text, null::text, null::text`

/** Calls the routine and returns the outcomes of the rows. @internal */
export const callRoutine = async (task: RowTask, call: RoutineCall): Promise<ReadonlyArray<RowOutcome>> => {
  const { session, table, returning = [] } = task
  const size = Math.max(task.rows.length, task.keys.length)
  if (table.routine === undefined) {
    throw new Error(
      `The database has no routine that isolates failing rows: run \`migrate(db, "${session.dialect}")\` first`,
    )
  }
  const types = returning.map((name) => table.columns.get(name)?.declaredType ?? "text")
  const errorsStatement = `select u.*${types.map((type) => `, null::${type}`).join("")}
    from unnest($1::int4[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) as u`
  const resultColumns = returning.map((name, index) => `, ${quote(name)} ${types[index]}`).join("")
  const cells = Array.from({ length: size }, (_, index) => `${call.cellsOf(index).map(toLiteral).join(",")},`)
  const sequence = call.sequence === undefined ? null : toArrayLiteral(call.sequence.map((index) => String(index + 1)))
  const { rows } = await session.run(
    `/* multistatus */ select * from ${table.routine}($1::text, ($2::text)::text[], $3::int4, $4::text,
      ($5::text)::text[], ($6::text)::int4[], $7::boolean, $8::text, $9::boolean, $10::text) as o("~n" int4, "~state" text,
      "~constraint" text, "~column" text, "~type" text, "~detail" text, "~message" text${resultColumns})`,
    [
      call.allRowsStatement ?? null,
      call.allRowsStatement === undefined ? null : toArrayLiteral(call.parameters),
      call.expectedRows ?? null,
      call.oneRowStatement,
      toArrayLiteral(cells),
      sequence,
      call.returnsNothing,
      errorsStatement,
      !session.inTransaction,
      versionCheck(table),
    ],
  )
  return toOutcomes(task, call, size, rows)
}

const toOutcomes = (
  task: RowTask,
  { allRowsStatement, returnsNothing, columnNames, cellsOf }: RoutineCall,
  size: number,
  rows: ReadonlyArray<Row>,
): ReadonlyArray<RowOutcome> => {
  // If the statement on one row returns nothing, rows that succeed are missing from the result.
  const outcomeIfMissing = returnsNothing ? succeeded : undefined
  let outcomes = Array.from<RowOutcome>({ length: size }).fill(
    allRowsStatement !== undefined && task.keys.length === 0 ? succeeded : outcomeIfMissing,
  )
  const errors = new Map<number, RowError>()
  for (const { "~n": position, ...report } of rows) {
    const index = Number(position) - 1
    if (report["~state"] === "outdated") throw new OutdatedSchemaError(task.table.quotedName)
    // Position 0 means that the statement on all rows failed, so its rows before this one are void. Position -1 is no row.
    if (index === -1) outcomes = Array.from<RowOutcome>({ length: size }).fill(outcomeIfMissing)
    else if (index < 0) continue
    else if (report["~state"] !== null) {
      const cells = cellsOf(index)
      const columnCells = cells.slice(cells.length - columnNames.length)
      errors.set(index, toPostgresRowError(task.table, report, columnNames, columnCells))
    } else outcomes[index] = task.returning === undefined ? succeeded : { row: withoutReport(report) }
  }
  for (const [index, error] of errors) outcomes[index] = { error }
  return outcomes
}

const withoutReport = ({
  "~state": _state,
  "~constraint": _constraint,
  "~column": _column,
  "~type": _type,
  "~detail": _detail,
  "~message": _message,
  ...row
}: Row): Row => row

/** Quotes a name. @internal */
export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`
