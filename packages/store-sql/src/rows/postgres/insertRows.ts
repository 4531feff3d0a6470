/**
 * Inserts many rows into PostgreSQL with one statement, whose text depends only on the table.
 *
 * The statement has all columns of the table. A bit mask tells which columns a row does not set; they get the column's
 * default, whose expression comes from the catalog. So rows that set different columns need only one statement. Defaults
 * are evaluated in the order of the call, and afterwards the rows are sorted by their unique values. If no default is
 * needed and nothing is returned, the rows are sorted before they are sent.
 */
import type { Row } from "../../database/Session.ts"
import {
  type GivenColumn,
  mayDependOnEachOther,
  succeeded,
  isInEveryRow,
  type RowOutcome,
  type RowTask,
} from "../RowDialect.ts"
import { isPostgresRowError } from "./rowError.ts"
import { callRoutine, quote, reportColumns, type RoutineCall } from "./callRoutine.ts"
import { type Cell, toArrayLiteral, toCell } from "./postgresText.ts"
import { orderRows, ranksOf } from "../rowOrder.ts"
import { versionGuard } from "./tableVersion.ts"
import type { ColumnSchema, TableSchema } from "../TableSchema.ts"

/** @internal */
export const postgresInsert = async (task: RowTask): Promise<ReadonlyArray<RowOutcome>> => {
  if (task.table.isView !== true) return insertTogether(task)
  // The database itself finds the default of a column of a view, if the statement does not name the column.
  const outcomes: Array<RowOutcome> = []
  for (const { columns, rows } of runsOfSameColumns(task)) {
    outcomes.push(...(await insertTogether({ ...task, columns, rows })))
  }
  return outcomes
}

const insertTogether = async (task: RowTask): Promise<ReadonlyArray<RowOutcome>> => {
  const { session, table, rows, returning } = task
  const plan = planOf(task)
  const writesUtc = session.dialect === "pglite"
  const cells = plan.columns.map((column) => {
    const given = task.columns.find(({ name }) => name === column.name)?.given
    return given === undefined ? undefined : rows.map((row) => toCell(row[given], column, writesUtc))
  })
  const { order, sequence } = orderRows(task)
  const masks = masksOf(task, plan)
  const isPlain = returning === undefined && !table.mayAlterRows && !session.inTransaction
  const isSorted = isPlain && order !== undefined && masks === undefined
  const arrays = [
    masks === undefined ? null : toArrayLiteral(masks),
    isSorted || order === undefined ? null : toArrayLiteral(ranksOf(order).map(String)),
    ...cells.map((column) => {
      if (column === undefined) return null
      return toArrayLiteral(isSorted ? order.map((index) => column[index] as Cell) : column)
    }),
  ]
  // If no row sets a column, the mask's array still carries the number of rows.
  const parameters = arrays.every((array) => array === null)
    ? [toArrayLiteral(rows.map(() => null)), ...arrays.slice(1)]
    : arrays
  const returnsNothing = returning === undefined && !table.mayAlterRows
  const routine = (allRowsStatement?: string, expectedRows?: number): RoutineCall => ({
    allRowsStatement,
    parameters,
    expectedRows,
    oneRowStatement: plan.oneRowStatement(returnsNothing),
    cellsOf: (index) => [masks?.[index] ?? null, ...cells.map((column) => column?.[index] ?? null)],
    columnNames: plan.columns.map(({ name }) => name),
    sequence: mayDependOnEachOther(task) ? undefined : sequence(),
    returnsNothing,
  })
  // Returned rows are matched by key, so the key must be known before the insert.
  const keyColumn = task.columns.find(({ name }) => name === task.key)
  const isKeyKnown = isInEveryRow(rows, keyColumn) || table.columns.get(task.key)?.defaultSql !== undefined
  if (mayDependOnEachOther(task) || (returning !== undefined && !isKeyKnown)) return callRoutine(task, routine())
  if (session.inTransaction || table.mayAlterRows) {
    const returnsRows = table.mayAlterRows || returning !== undefined
    const allRowsStatement = plan.routineStatement((position) => `$1[${position}]`, returnsRows)
    return callRoutine(task, routine(allRowsStatement, returnsRows ? rows.length : undefined))
  }
  try {
    const reply = await (isSorted
      ? session.run(plan.sortedRowsStatement, parameters.slice(2))
      : session.run(plan.statement, parameters))
    if (returning === undefined) return rows.map(() => succeeded)
    const outcomes = Array.from<RowOutcome>({ length: rows.length })
    for (const { "~n": position, ...row } of reply.rows) outcomes[Number(position) - 1] = { row }
    return outcomes
  } catch (error) {
    if (!isPostgresRowError(error)) throw error
    return callRoutine(task, routine())
  }
}

/** Returns runs of adjacent rows that set the same columns. */
const runsOfSameColumns = ({ columns, rows }: RowTask): ReadonlyArray<Pick<RowTask, "columns" | "rows">> => {
  const runs: Array<{ readonly columns: ReadonlyArray<GivenColumn>; readonly rows: Array<Row> }> = []
  let lastMask: string | undefined
  for (const row of rows) {
    const given = columns.filter((column) => row[column.given] !== undefined)
    const mask = JSON.stringify(given.map(({ name }) => name))
    if (mask !== lastMask) runs.push({ columns: given, rows: [] })
    lastMask = mask
    runs.at(-1)!.rows.push(row)
  }
  return runs
}

/** The statements for inserts into a table. */
interface InsertPlan {
  readonly columns: ReadonlyArray<ColumnSchema>
  /** The names of the columns with a default, in the order of the mask. */
  readonly maskedNames: ReadonlyArray<string>
  /** The statement to prepare. Its parameters are the masks, the ranks and the columns. */
  readonly statement: string
  /** The statement to prepare for sorted rows that need no defaults. Its parameters are the columns. */
  readonly sortedRowsStatement: string
  /** The statement for the routine. With `returnsRows` it returns a row for each inserted row. */
  readonly routineStatement: (parameter: (position: number) => string, returnsRows: boolean) => string
  /** The statement on one row. */
  readonly oneRowStatement: (returnsNothing: boolean) => string
}

const planOf = ({ table, columns, key, returning }: RowTask): InsertPlan => {
  const generatedNames = columns
    .filter(({ name }) => table.columns.get(name)?.isGenerated !== false)
    .map(({ name }) => name)
  // A key that is `generated always` is taken from its sequence by the statement, so that it is known.
  const overridesKey =
    returning !== undefined &&
    !generatedNames.includes(key) &&
    table.columns.get(key)?.isGenerated === true &&
    table.columns.get(key)?.defaultSql !== undefined
  const viewColumns = table.isView === true ? columns.map(({ name }) => name) : undefined
  const id = JSON.stringify(["insert", generatedNames.sort(), returning, overridesKey && key, viewColumns])
  const cached = table.statementCache.get(id) as InsertPlan | undefined
  if (cached !== undefined) return cached
  const included = [
    ...[...table.columns.values()].filter(
      (column) =>
        viewColumns?.includes(column.name) !== false &&
        (!column.isGenerated || generatedNames.includes(column.name) || (overridesKey && column.name === key)),
    ),
    ...generatedNames.filter((name) => !table.columns.has(name)).map(unknownColumn),
  ]
  const plan = makePlan(table, included, key, returning, overridesKey)
  table.statementCache.set(id, plan)
  return plan
}

const makePlan = (
  table: TableSchema,
  columns: ReadonlyArray<ColumnSchema>,
  key: string,
  returning: ReadonlyArray<string> | undefined,
  overridesKey: boolean,
): InsertPlan => {
  const maskedNames = columns.filter(({ defaultSql }) => defaultSql !== undefined).map(({ name }) => name)
  const aliases = columns.map((_, index) => `c${index}`).join(", ")
  const valueOf = (column: ColumnSchema, index: number) =>
    column.encoding === "plain" ? `r.c${index}` : `r.c${index}::${column.type}`
  const values = columns.map((column, index) => {
    const value = valueOf(column, index)
    if (column.defaultSql === undefined) return `${value} as c${index}`
    const isUnset = `get_bit(r.m, ${maskedNames.indexOf(column.name)}) = 1`
    return `case when ${isUnset} then (${column.defaultSql})::${column.type} else ${value} end as c${index}`
  })
  const guard = versionGuard(table)
  const target = `insert into ${table.quotedName} as t (${columns.map(({ name }) => quote(name)).join(", ")})${overridesKey ? " overriding system value" : ""}`
  const source = (parameter: (position: number) => string) =>
    `select ${[...values, "r.o", "r.n"].join(", ")} from unnest(${[
      `(${parameter(1)}::text)::varbit[]`,
      `(${parameter(2)}::text)::int4[]`,
      ...columns.map((column, index) => arrayOf(column, parameter(index + 3))),
    ].join(
      ", ",
    )}) with ordinality as r(${["m", "o", aliases, "n"].filter((name) => name !== "").join(", ")}) where ${guard}`
  const keyAlias = `c${columns.findIndex(({ name }) => name === key)}`
  const aliased = (returning ?? []).map((name, index) => `t.${quote(name)} as a${index}`)
  const named = (returning ?? []).map((name, index) => `, i.a${index} as ${quote(name)}`).join("")
  const joined = (parameter: (position: number) => string, leadingColumns: string) =>
    `with s as materialized (${source(parameter)}), i as (${target} select ${aliases} from s order by s.o returning ${[`t.${quote(key)} as k`, ...aliased].join(", ")}) select ${leadingColumns}${named} from i join s on s.${keyAlias} = i.k`
  const numbered = (position: number) => `$${position}`
  const arrays = columns.map((column, index) => arrayOf(column, numbered(index + 1)))
  return {
    columns,
    maskedNames,
    sortedRowsStatement: `/* multistatus prepare */ ${target} select ${columns.map(valueOf).join(", ")} from unnest(${arrays.join(", ")}) as r(${aliases}) where ${guard}`,
    statement: `/* multistatus prepare */ ${
      returning === undefined
        ? `${target} select ${aliases} from (${source(numbered)}) s order by s.o`
        : joined(numbered, 's.n::int4 as "~n"')
    }`,
    routineStatement: (parameter, returnsRows) => {
      if (returning !== undefined) return joined(parameter, reportColumns("s.n"))
      const inserted = `with i as (${target} select ${aliases} from (${source(parameter)}) s order by s.o returning 1)`
      // Only the number of these rows matters; their position -1 refers to no row.
      return `${inserted} select ${reportColumns("-1")} from i${returnsRows ? "" : " where false"}`
    },
    oneRowStatement: (returnsNothing) => {
      const cells = columns.map(
        ({ encoding, type }, index) => `$${index + 2}::${encoding === "plain" ? type : "text"} as c${index}`,
      )
      const position = `$${columns.length + 2}`
      const row = `(select ${["$1::varbit as m", ...cells, `${position}::int4 as n`].join(", ")}) as r`
      const inserted = `${target} select ${values.join(", ")} from ${row}`
      if (returnsNothing) return inserted
      return `with i as (${inserted} returning ${aliased.length > 0 ? aliased.join(", ") : "1"}) select ${reportColumns(position)}${named} from i`
    },
  }
}

const arrayOf = (column: ColumnSchema, parameter: string): string => `(${parameter}::text)::${arrayType(column)}`

/** Returns the type of the array that carries the values of a column. @internal */
export const arrayType = ({ encoding, type }: ColumnSchema): string =>
  encoding === "plain" || encoding === "json" ? `${type}[]` : "text[]"

// A column that the catalog does not list. The database then reports that it does not exist.
const unknownColumn = (name: string): ColumnSchema => ({
  name,
  type: "text",
  declaredType: "text",
  defaultSql: undefined,
  isGenerated: false,
  isAutoIncrement: false,
  encoding: "text",
})

// A mask has one bit for each column with a default: 1 if the row does not set it. `undefined` if all rows set all of them.
const masksOf = ({ rows, columns }: RowTask, { maskedNames }: InsertPlan): ReadonlyArray<string> | undefined => {
  const givenNames = maskedNames.map((name) => columns.find((column) => column.name === name)?.given)
  let isNeeded = false
  const masks = rows.map((row) => {
    let mask = ""
    for (const name of givenNames) {
      const isUnset = name === undefined || row[name] === undefined
      isNeeded ||= isUnset
      mask += isUnset ? "1" : "0"
    }
    return mask
  })
  return isNeeded ? masks : undefined
}
