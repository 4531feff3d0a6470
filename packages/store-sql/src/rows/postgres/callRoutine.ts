/**
 * Calls the database's routine that stores rows one by one where a statement on all of them fails.
 */
import { done, type RowOutcome, type Refusal, type RowTask } from "../RowDialect.ts"
import { type Cell, toArrayLiteral, toLiteral } from "./postgresText.ts"
import type { Row } from "../../database/Session.ts"
import { toPostgresRefusal } from "./refusal.ts"

/** @internal */
export interface RoutineCall {
  /** The statement on all rows; `$1` is an array of the columns' array literals. `undefined`: it failed already. */
  readonly whole: string | undefined
  readonly parameters: ReadonlyArray<Cell>
  /** How many rows `whole` must answer with; anything else is a failure. */
  readonly expected: number | undefined
  /** The statement on one row: a parameter for each cell, then the row's position from 1. */
  readonly single: string
  readonly cellsOf: (index: number) => ReadonlyArray<Cell>
  /** Columns of the last of the cells, to tell which of them is at fault. */
  readonly names: ReadonlyArray<string>
  /** Positions in the order of trying. */
  readonly sequence: ReadonlyArray<number> | undefined
  /** Whether `single` answers nothing, because every row that is not refused is done. */
  readonly quiet: boolean
}

/**
 * The columns in front of what is returned: outcome of the row at position `~n`, null for those that were stored.
 *
 * @internal
 */
export const reportOf = (position: string): string =>
  `${position}::int4, null::text, null::text, null::text, null::text, null::text, null::text`

/** @internal */
export const callRoutine = async (task: RowTask, call: RoutineCall): Promise<ReadonlyArray<RowOutcome>> => {
  const { session, table, returning = [] } = task
  const size = Math.max(task.rows.length, task.keys.length)
  if (table.routine === undefined) {
    throw new Error(
      `The database lacks the routine that isolates rows: run \`migrate(db, "${session.dialect}")\` first`,
    )
  }
  const types = returning.map((name) => table.columns.get(name)?.declared ?? "text")
  const refused = `select u.*${types.map((type) => `, null::${type}`).join("")}
    from unnest($1::int4[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) as u`
  const shape = returning.map((name, index) => `, ${quote(name)} ${types[index]}`).join("")
  const cells = Array.from({ length: size }, (_, index) => `${call.cellsOf(index).map(toLiteral).join(",")},`)
  const sequence = call.sequence === undefined ? null : toArrayLiteral(call.sequence.map((index) => String(index + 1)))
  const { rows } = await session.run(
    `/* multistatus */ select * from ${table.routine}($1::text, ($2::text)::text[], $3::int4, $4::text,
      ($5::text)::text[], ($6::text)::int4[], $7::boolean, $8::text, $9::boolean) as o("~n" int4, "~state" text,
      "~constraint" text, "~column" text, "~type" text, "~detail" text, "~message" text${shape})`,
    [
      call.whole ?? null,
      call.whole === undefined ? null : toArrayLiteral(call.parameters),
      call.expected ?? null,
      call.single,
      toArrayLiteral(cells),
      sequence,
      call.quiet,
      refused,
      !session.inTransaction,
    ],
  )
  return collect(task, call, size, rows)
}

const collect = (
  task: RowTask,
  { whole, quiet, names, cellsOf }: RoutineCall,
  size: number,
  rows: ReadonlyArray<Row>,
): ReadonlyArray<RowOutcome> => {
  // Nothing is said of rows that are done if nothing was asked for.
  const silent = quiet ? done : undefined
  let outcomes = Array.from<RowOutcome>({ length: size }).fill(
    whole !== undefined && task.keys.length === 0 ? done : silent,
  )
  const refusals = new Map<number, Refusal>()
  for (const told of rows) {
    const { "~n": position, ...report } = told
    const index = Number(position) - 1
    // Position 0: the statement on all rows failed, and what it had answered until then is void. Below: no row's.
    if (index === -1) outcomes = Array.from<RowOutcome>({ length: size }).fill(silent)
    else if (index < 0) continue
    else if (told["~state"] !== null) {
      const cells = cellsOf(index)
      refusals.set(index, toPostgresRefusal(task.table, report, names, cells.slice(cells.length - names.length)))
    } else outcomes[index] = task.returning === undefined ? done : { row: withoutReport(report) }
  }
  for (const [index, refusal] of refusals) outcomes[index] = { refusal }
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

/** @internal */
export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`
