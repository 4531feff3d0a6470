/**
 * Inserts many rows into MySQL or MariaDB with one VALUES list. DEFAULT stands for a column that a row does not set.
 */
import type { Row } from "../../database/Session.ts"
import { matchByKey, matchByNumber } from "../matchRows.ts"
import {
  isInEveryRow,
  mayDependOnEachOther,
  quoteName,
  type RowDialect,
  type RowTask,
  succeeded,
} from "../RowDialect.ts"
import { orderRows } from "../rowOrder.ts"
import { readRows, selectList } from "./readRows.ts"
import { isMysqlRowError } from "./rowError.ts"
import { insertRow } from "./rowStatements.ts"
import { runRowByRow } from "./runRowByRow.ts"
import { placeholder } from "./values.ts"

/** @internal */
export const mysqlInsert: RowDialect["insert"] = async (given) => {
  const task = await withKeys(given)
  const { session, table, rows, columns, key, returning } = task
  const keyColumn = columns.find(({ name }) => name === key)
  const autoIncrement = [...table.columns.values()].find(({ isAutoIncrement }) => isAutoIncrement)
  const isNumbered = autoIncrement?.name === key && columns.every(({ name }) => name !== key)
  // The database assigns numbers in the order of the rows, which must remain the caller's.
  const keepsOrder =
    autoIncrement !== undefined &&
    !isInEveryRow(
      rows,
      columns.find(({ name }) => name === autoIncrement.name),
    )
  const order = keepsOrder ? undefined : orderRows(task).sequence()
  if (mayDependOnEachOther(task)) return runRowByRow(task, insertRow(task), undefined)
  if (returning !== undefined && !isInEveryRow(rows, keyColumn) && !isNumbered) {
    return runRowByRow(task, insertRow(task), order)
  }
  const ordered = order === undefined ? rows : order.map((index) => rows[index] as Row)
  const values: Array<unknown> = []
  const tuples = ordered.map((row) => `(${columns.map(({ given }) => placeholder(values, row[given])).join(", ")})`)
  const names = columns.map(({ name }) => quoteName(session, name)).join(", ")
  const returningClause = returning !== undefined && table.supportsReturning ? ` returning ${selectList(task)}` : ""
  try {
    const reply = await session.run(
      `/* multistatus */ insert into ${table.quotedName} (${names}) values ${tuples.join(", ")}${returningClause}`,
      values,
    )
    if (returning === undefined) return rows.map(() => succeeded)
    const step = table.autoIncrementStep ?? 1
    const keys = rows.map((row, index) =>
      keyColumn === undefined ? Number(reply.insertId) + index * step : row[keyColumn.given],
    )
    const found = table.supportsReturning ? reply.rows : await readRows(task, keys)
    return isNumbered ? matchByNumber(found) : matchByKey(keys, found)
  } catch (error) {
    if (!isMysqlRowError(error)) throw error
    return runRowByRow(task, insertRow(task), order)
  }
}

// MySQL does not report a key that comes from a default expression. The expression is therefore evaluated before the insert.
const withKeys = async (task: RowTask): Promise<RowTask> => {
  const { session, table, rows, columns, key, returning } = task
  const defaultSql = table.columns.get(key)?.defaultSql
  if (returning === undefined || defaultSql === undefined) return task
  const keyColumn = columns.find(({ name }) => name === key) ?? { given: key, name: key }
  if (isInEveryRow(rows, keyColumn)) return task
  const keys = await session.query(
    `/* multistatus */ select (${defaultSql}) as \`~key\` from json_table(?, '$[*]' columns (n for ordinality)) as r`,
    [JSON.stringify(rows.map(() => 0))],
  )
  return {
    ...task,
    columns: columns.includes(keyColumn) ? columns : [...columns, keyColumn],
    rows: rows.map((row, index) =>
      row[keyColumn.given] === undefined ? { ...row, [keyColumn.given]: keys[index]?.["~key"] } : row,
    ),
  }
}
