/**
 * Updates many rows of MySQL or MariaDB with one statement for each set of columns. It joins the new values as JSON_TABLE.
 *
 * The statement does not report which rows it found. If their number is too small, the keys are read afterwards.
 */
import {
  mayDependOnEachOther,
  succeeded,
  type RowDialect,
  type RowOutcome,
  quoteName,
  type RowTask,
} from "../RowDialect.ts"
import { runRowByRow } from "./runRowByRow.ts"
import { readOutcomes } from "./readRows.ts"
import { isMysqlRowError } from "./rowError.ts"
import { updateRow } from "./rowStatements.ts"
import { isBinary, toComparable, jsonPlaceholder, jsonTableType } from "./values.ts"
import { ascending } from "../rowOrder.ts"

/** @internal */
export const mysqlUpdate: RowDialect["update"] = async (task) => {
  const groups = Map.groupBy(
    task.rows.map((row, index) => ({ row, index })),
    ({ row }) => task.columns.map(({ given }) => (row[given] === undefined ? "0" : "1")).join(""),
  )
  const outcomes = Array.from<RowOutcome>({ length: task.rows.length })
  // A unique value that moves from row to row must do so in the order of the rows, which the groups do not keep.
  if (groups.size > 1 && setsUniqueColumn(task)) return runRowByRow(task, updateRow(task), undefined)
  for (const members of groups.values()) {
    const rows = members.map(({ row }) => row)
    const columns = task.columns.filter(({ given }) => rows[0]?.[given] !== undefined)
    const keys = members.map(({ index }) => task.keys[index])
    const groupOutcomes = await updateSameColumns({ ...task, rows, columns, keys })
    for (const [position, { index }] of members.entries()) outcomes[index] = groupOutcomes[position]
  }
  return outcomes
}

/** Updates rows that set the same columns. */
const updateSameColumns = async (task: RowTask): Promise<ReadonlyArray<RowOutcome>> => {
  const { session, table, rows, columns, keys, key, returning } = task
  if (columns.length === 0) return readOutcomes(task)
  const statementsOf = updateRow(task)
  const order = setsUniqueColumn(task) ? undefined : ascending(keys)
  if (mayDependOnEachOther(task)) return runRowByRow(task, statementsOf, undefined)
  if (columns.some(({ name }) => name === key)) return runRowByRow(task, statementsOf, order)
  const values: Array<unknown> = []
  const cells = rows.map(
    (row, index) =>
      `json_array(${[keys[index], ...columns.map(({ given }) => row[given])].map((value) => jsonPlaceholder(values, value)).join(", ")})`,
  )
  const types = [key, ...columns.map(({ name }) => name)].map((name) => table.columns.get(name))
  const source = `json_table(json_array(${cells.join(", ")}), '$[*]' columns (${types.map((type, index) => `c${index} ${jsonTableType(type, index === 0)} path '$[${index}]'`).join(", ")}))`
  const match = `t.${quoteName(session, key)} = ${toComparable(types[0], "r.c0")}`
  const set = columns.map(
    ({ name }, index) =>
      `t.${quoteName(session, name)} = ${isBinary(types[index + 1]) ? `unhex(r.c${index + 1})` : `r.c${index + 1}`}`,
  )
  const guard = uniqueMoveGuard(task, source, values)
  try {
    const reply = await session.run(
      `/* multistatus */ update ${table.quotedName} as t join ${source} as r on ${match}${guard?.text ?? ""} set ${set.join(", ")}`,
      guard?.values ?? values,
    )
    // No row exists, or the guard found a unique value that moves from one row to another.
    if (guard !== undefined && reply.affected === 0) return runRowByRow(task, statementsOf, undefined)
    if (reply.affected === rows.length && returning === undefined) return rows.map(() => succeeded)
    return readOutcomes(task)
  } catch (error) {
    if (!isMysqlRowError(error)) throw error
    return runRowByRow(task, statementsOf, order)
  }
}

const setsUniqueColumn = ({ table, columns, rows }: RowTask): boolean =>
  rows.length > 1 &&
  table.uniques.some(
    (unique) => unique.computed || unique.columns.some((name) => columns.some((column) => column.name === name)),
  )

// A join condition that is false if a row would take a unique value that another row of the call has. The statement then
// changes nothing, and the rows are updated one by one, in order.
const uniqueMoveGuard = (
  { session, table, columns, rows, key }: RowTask,
  source: string,
  values: ReadonlyArray<unknown>,
) => {
  if (rows.length < 2) return undefined
  const positions = new Map(columns.map(({ name }, index) => [name, index + 1]))
  const uniqueColumns = table.uniques.flatMap(({ columns: names }) =>
    names.filter((name) => positions.has(name)).slice(0, 1),
  )
  if (uniqueColumns.length === 0) return undefined
  const match = `o.${quoteName(session, key)} = ${toComparable(table.columns.get(key), "a.c0")}`
  const taken = uniqueColumns
    .map((name) => {
      const column = table.columns.get(name)
      const value = `b.c${positions.get(name)}`
      return `o.${quoteName(session, name)} = ${toComparable(column, value)}`
    })
    .join(" or ")
  return {
    text: ` join (select count(*) as taken from ${table.quotedName} as o join ${source} as a on ${match} join ${source} as b on b.c0 <> a.c0 and (${taken})) as g on g.taken = 0`,
    values: [...values, ...values, ...values],
  }
}
