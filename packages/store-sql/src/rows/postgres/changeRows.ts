/**
 * Updates and deletes many rows of PostgreSQL, with one statement for an update and one for a delete.
 *
 * Rows that set different columns are updated together. A bit mask tells which columns a row sets; the others keep their
 * value. So the number of statements does not depend on the input. Rows are locked in the order of their keys before the
 * first of them changes, so two calls on the same rows wait for each other and do not deadlock. The statements are not
 * prepared by name, because their plans depend on the size of the table.
 */
import { mayDependOnEachOther, succeeded, isInEveryRow, type RowOutcome, type RowTask } from "../RowDialect.ts"
import { arrayType } from "./insertRows.ts"
import { isPostgresRowError } from "./rowError.ts"
import { callRoutine, quote, reportColumns, type RoutineCall } from "./callRoutine.ts"
import { type Cell, toArrayLiteral, toCell } from "./postgresText.ts"
import { ascending } from "../rowOrder.ts"
import { versionGuard } from "./tableVersion.ts"
import type { ColumnSchema } from "../TableSchema.ts"

/** @internal */
export const postgresUpdate = (task: RowTask): Promise<ReadonlyArray<RowOutcome>> => {
  const { table, rows, columns } = task
  const isMasked = columns.some((column) => !isInEveryRow(rows, column))
  const types = columns.map(({ name }) => table.columns.get(name))
  const set = columns.map(({ name }, index) => {
    const type = types[index]
    const value = type === undefined || type.encoding === "plain" ? `r.c${index}` : `r.c${index}::${type.type}`
    return `${quote(name)} = ${isMasked ? `case when get_bit(r.m, ${index}) = 1 then ${value} else t.${quote(name)} end` : value}`
  })
  return change(task, {
    verb: `update ${table.quotedName} as t set ${set.length === 0 ? noChange(task) : set.join(", ")} from`,
    lock: "no key update",
    types,
    cells: columns.map(({ given }, index) => rows.map((row) => toCell(row[given], types[index], writesUtc(task)))),
    masks: isMasked
      ? rows.map((row) => columns.map(({ given }) => (row[given] === undefined ? "0" : "1")).join(""))
      : undefined,
    uniqueMove: uniqueMove(task),
  })
}

// A change without values must still report whether the row exists.
const noChange = ({ table, key }: RowTask): string => {
  const column = quote([...table.columns.values()].find(({ isGenerated }) => !isGenerated)?.name ?? key)
  return `${column} = t.${column}`
}

/** @internal */
export const postgresDelete = (task: RowTask): Promise<ReadonlyArray<RowOutcome>> =>
  change(task, {
    verb: `delete from ${task.table.quotedName} as t using`,
    lock: "update",
    types: [],
    cells: [],
    masks: undefined,
    uniqueMove: undefined,
  })

interface Change {
  /** The start of the statement, up to the joined rows. */
  readonly verb: string
  readonly lock: "update" | "no key update"
  readonly types: ReadonlyArray<ColumnSchema | undefined>
  readonly cells: ReadonlyArray<ReadonlyArray<Cell>>
  /** The mask of each row, with a bit for each column that it sets. `undefined` if all rows set all columns. */
  readonly masks: ReadonlyArray<string> | undefined
  /**
   * The condition that a row takes a unique value which another row of the call has so far. `undefined` if it cannot
   * happen, `assumed` if no condition can tell.
   */
  readonly uniqueMove: string | undefined
}

const change = async (
  task: RowTask,
  { verb, lock, types, cells, masks, uniqueMove }: Change,
): Promise<ReadonlyArray<RowOutcome>> => {
  const { session, table, keys, key, returning } = task
  const keyColumn = table.columns.get(key)
  const keyCells = keys.map((value) => toCell(value, keyColumn, writesUtc(task)))
  const parameters = [
    masks === undefined ? null : toArrayLiteral(masks),
    toArrayLiteral(keyCells),
    ...cells.map(toArrayLiteral),
  ]
  const match = `t.${quote(key)} = r.k`
  const names = ["m", "k", ...types.map((_, index) => `c${index}`), "n"].join(", ")
  const keyType = keyColumn === undefined ? "text" : keyColumn.type
  // The division by zero makes the statement fail, so that the rows are updated one by one.
  const guard = uniqueMove === undefined ? "" : ` and 1 / (select case when ${uniqueMove} then 0 else 1 end) = 1`
  const rowsOf = (parameter: (position: number) => string) => {
    const arrays = [
      `(${parameter(1)}::text)::varbit[]`,
      `(${parameter(2)}::text)::${keyType}[]`,
      ...types.map(
        (type, index) => `(${parameter(index + 3)}::text)::${type === undefined ? "text[]" : arrayType(type)}`,
      ),
    ]
    return `with r as materialized (select * from unnest(${arrays.join(", ")}) with ordinality as r(${names})),
      l as materialized (select 1 from ${table.quotedName} as t join r on ${match} order by r.k for ${lock} of t)`
  }
  const where = `where ${match} and (select count(*) from l) >= 0${guard} and ${versionGuard(table)}`
  const aliased = (returning ?? []).map((name, index) => `, t.${quote(name)} as a${index}`).join("")
  const named = (returning ?? []).map((name, index) => `, w.a${index} as ${quote(name)}`).join("")
  const numbered = (position: number) => `$${position}`
  const lastParameter = types.length + 3
  const oneRowStatement = `with r as (select ${[
    "$1::varbit as m",
    `$2::${keyType} as k`,
    ...types.map((type, index) => `$${index + 3}::${type?.encoding === "plain" ? type.type : "text"} as c${index}`),
  ].join(
    ", ",
  )}), w as (${verb} r where ${match} returning 1${aliased}) select ${reportColumns(`$${lastParameter}`)}${named} from w`
  const routine: RoutineCall = {
    allRowsStatement: undefined,
    parameters,
    expectedRows: undefined,
    oneRowStatement,
    cellsOf: (index) => [
      masks?.[index] ?? null,
      keyCells[index] ?? null,
      ...cells.map((column) => column[index] ?? null),
    ],
    columnNames: [key, ...task.columns.map(({ name }) => name)],
    sequence: uniqueMove === undefined && table.selfReferencingColumns.length === 0 ? ascending(keys) : undefined,
    returnsNothing: false,
  }
  if (uniqueMove === assumed || mayDependOnEachOther(task)) return callRoutine(task, routine)
  const returningList = `r.n::int4 as n${aliased}`
  if (session.inTransaction) {
    const source = rowsOf((position) => `$1[${position}]`)
    const allRowsStatement = `${source}, w as (${verb} r ${where} returning ${returningList}) select ${reportColumns("w.n")}${named} from w`
    return callRoutine(task, { ...routine, allRowsStatement })
  }
  try {
    const text = `/* multistatus */ ${rowsOf(numbered)} ${verb} r ${where} returning r.n::int4 as "~n"${(returning ?? []).map((name) => `, t.${quote(name)}`).join("")}`
    const reply = await session.run(text, parameters)
    const outcomes = Array.from<RowOutcome>({ length: keys.length })
    for (const { "~n": position, ...row } of reply.rows) {
      outcomes[Number(position) - 1] = returning === undefined ? succeeded : { row }
    }
    return outcomes
  } catch (error) {
    if (!isPostgresRowError(error)) throw error
    return callRoutine(task, routine)
  }
}

/** The condition for tables whose unique indexes are on expressions. */
const assumed = "true"

// If a row takes a unique value that another row has, the result of a single statement depends on its plan. One by one, a
// value must be free when its row is updated. Such rows are therefore updated one by one.
const uniqueMove = (task: RowTask): string | undefined => {
  const { table, columns, rows, key } = task
  if (rows.length < 2) return undefined
  const positions = new Map(columns.map(({ name }, index) => [name, index]))
  const changedUniques = table.uniques.filter((unique) => unique.columns.some((name) => positions.has(name)))
  if (changedUniques.some(({ computed }) => computed)) return assumed
  const conditions = changedUniques.map((unique) => {
    const name = unique.columns.find((column) => positions.has(column)) as string
    const position = positions.get(name)
    return `exists (select from ${table.quotedName} as t join r on t.${quote(key)} = r.k join r as q on q.c${position} = t.${quote(name)} and q.n <> r.n)`
  })
  return conditions.length === 0 ? undefined : conditions.join(" or ")
}

const writesUtc = ({ session }: RowTask): boolean => session.dialect === "pglite"
