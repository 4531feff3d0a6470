/**
 * Inserts, updates and deletes many rows of SQLite.
 *
 * The rows are a VALUES list of parameters. A call is split if it has more parameters than one statement allows. For a column
 * that a row does not set, the list has the column's default. If a statement fails, its rows run one by one in one
 * transaction. SQLite runs inside the process, so this needs no round trips, and a failed statement does not affect the
 * transaction.
 */
import { matchByKey, matchByNumber } from "../matchRows.ts"
import {
  mayDependOnEachOther,
  succeeded,
  type RowDialect,
  isInEveryRow,
  type RowOutcome,
  quoteName,
  type RowTask,
} from "../RowDialect.ts"
import type { Row } from "../../database/Session.ts"
import { insertRow, runRowByRow, toSqliteValue, deleteRow, selectList, updateRow } from "./runRowByRow.ts"
import { isSqliteRowError } from "./rowError.ts"

const maximumParameters = 32_766

const insert: RowDialect["insert"] = async (task) => {
  const { table, rows, columns, key, returning } = task
  const keyColumn = columns.find(({ name }) => name === key)
  const isNumbered =
    table.columns.get(key)?.isAutoIncrement === true &&
    rows.every((row) => keyColumn === undefined || row[keyColumn.given] === undefined)
  const isKeyKnown = isInEveryRow(rows, keyColumn)
  const names = columns.map(({ name }) => name)
  if (
    names.length === 0 ||
    table.mayAlterRows ||
    mayDependOnEachOther(task) ||
    (returning !== undefined && !isKeyKnown && !isNumbered)
  )
    return runRowByRow(task, insertRow)
  return runInParts(rows.length, columns.length, async (start, end) => {
    const part = { ...task, rows: rows.slice(start, end) }
    try {
      const found = await insertPart(part, names)
      if (returning === undefined) return part.rows.map(() => succeeded)
      return isNumbered
        ? matchByNumber(found)
        : matchByKey(
            part.rows.map((row) => row[keyColumn?.given ?? ""]),
            found,
          )
    } catch (error) {
      if (!isSqliteRowError(error)) throw error
      return runRowByRow(part, insertRow)
    }
  })
}

const update: RowDialect["update"] = async (task) => {
  const { columns, keys, rows, key } = task
  if (mayDependOnEachOther(task) || columns.length === 0 || columns.some(({ name }) => name === key))
    return runRowByRow(task, updateRow)
  const flagged = columns.filter((column) => !isInEveryRow(rows, column))
  return runInParts(keys.length, columns.length + flagged.length + 1, async (start, end) => {
    const part = { ...task, rows: rows.slice(start, end), keys: keys.slice(start, end) }
    try {
      const guard = uniqueMoveGuard(part)
      const found = await updatePart(part, flagged, guard)
      // No row exists, or the guard found a unique value that moves from one row to another.
      if (found.length === 0 && guard !== undefined) return runRowByRow(part, updateRow)
      return matchByKey(part.keys, found, task.returning === undefined)
    } catch (error) {
      if (!isSqliteRowError(error)) throw error
      return runRowByRow(part, updateRow)
    }
  })
}

const remove: RowDialect["remove"] = async (task) => {
  const { session, table, keys, key, returning } = task
  if (mayDependOnEachOther(task)) return runRowByRow(task, deleteRow)
  return runInParts(keys.length, 1, async (start, end) => {
    const part = { ...task, keys: keys.slice(start, end) }
    const list = part.keys.map(() => "?").join(", ")
    try {
      const { rows } = await session.run(
        `/* multistatus */ delete from ${table.quotedName} where ${quoteName(session, key)} in (${list}) returning ${selectList(task)}`,
        part.keys.map(toSqliteValue),
      )
      return matchByKey(part.keys, rows, returning === undefined)
    } catch (error) {
      if (!isSqliteRowError(error)) throw error
      return runRowByRow(part, deleteRow)
    }
  })
}

/** @internal */
export const sqliteRowDialect: RowDialect = { insert, update, remove }

const insertPart = async (task: RowTask, columnNames: ReadonlyArray<string>): Promise<ReadonlyArray<Row>> => {
  const { session, table, rows, columns, returning } = task
  const values: Array<unknown> = []
  const cells = columnNames.map((name) => ({
    given: columns.find((column) => column.name === name)?.given,
    defaultSql: defaultSqlOf(task, name),
  }))
  const tuples = rows.map((row) => {
    const tuple = cells.map(({ given, defaultSql }) => {
      const value = given === undefined ? undefined : row[given]
      if (value === undefined) return defaultSql
      values.push(toSqliteValue(value))
      return "?"
    })
    return `(${tuple.join(", ")})`
  })
  const names = columnNames.map((name) => quoteName(session, name)).join(", ")
  const returningClause = returning === undefined ? "" : ` returning ${selectList(task)}`
  const reply = await session.run(
    `/* multistatus */ insert into ${table.quotedName} (${names}) values ${tuples.join(", ")}${returningClause}`,
    values,
  )
  return reply.rows
}

const updatePart = async (
  task: RowTask,
  flagged: RowTask["columns"],
  guard: string | undefined,
): Promise<ReadonlyArray<Row>> => {
  const { session, table, rows, columns, key, keys } = task
  const values: Array<unknown> = []
  const tuples = rows.map((row, index) => {
    values.push(toSqliteValue(keys[index]), ...columns.map(({ given }) => toSqliteValue(row[given])))
    values.push(...flagged.map(({ given }) => (row[given] === undefined ? 0 : 1)))
    return `(${Array.from({ length: 1 + columns.length + flagged.length })
      .fill("?")
      .join(", ")})`
  })
  const names = ["k", ...columns.map((_, index) => `c${index}`), ...flagged.map((_, index) => `f${index}`)]
  const set = columns.map((column, index) => {
    const name = quoteName(session, column.name)
    const flag = flagged.indexOf(column)
    return `${name} = ${flag < 0 ? `r.c${index}` : `case when r.f${flag} then r.c${index} else t.${name} end`}`
  })
  const reply = await session.run(
    `/* multistatus */ with r(${names.join(", ")}) as (values ${tuples.join(", ")})
      update ${table.quotedName} as t set ${set.join(", ")} from r where t.${quoteName(session, key)} = r.k${guard ?? ""}
      returning ${selectList(task)}`,
    values,
  )
  return reply.rows
}

/** Runs a call in parts that have at most the maximum number of parameters. `width` is the number per row. */
const runInParts = async (
  size: number,
  width: number,
  run: (start: number, end: number) => Promise<ReadonlyArray<RowOutcome>>,
): Promise<ReadonlyArray<RowOutcome>> => {
  const partSize = Math.floor(maximumParameters / Math.max(width, 1))
  if (size <= partSize) return run(0, size)
  const outcomes: Array<RowOutcome> = []
  for (let start = 0; start < size; start += partSize)
    outcomes.push(...(await run(start, Math.min(start + partSize, size))))
  return outcomes
}

const defaultSqlOf = ({ table }: RowTask, name: string): string => {
  const defaultSql = table.columns.get(name)?.defaultSql
  return defaultSql === undefined ? "null" : `(${defaultSql})`
}

// A condition that is false if a row would take a unique value that another row of the call has. The statement then changes
// nothing, and the rows are updated one by one, in order.
const uniqueMoveGuard = ({ session, table, columns, rows, key }: RowTask): string | undefined => {
  if (rows.length < 2) return undefined
  const positions = new Map(columns.map(({ name }, index) => [name, index]))
  const changedUniques = table.uniques.filter((unique) => unique.columns.some((name) => positions.has(name)))
  if (changedUniques.length === 0) return undefined
  if (changedUniques.some(({ computed }) => computed)) return " and false"
  const taken = changedUniques.map((unique) => {
    const name = unique.columns.find((column) => positions.has(column)) as string
    return `b.c${positions.get(name)} = o.${quoteName(session, name)}`
  })
  return ` and not exists (select 1 from ${table.quotedName} as o join r as a on o.${quoteName(session, key)} = a.k join r as b on b.k <> a.k and (${taken.join(" or ")}))`
}
