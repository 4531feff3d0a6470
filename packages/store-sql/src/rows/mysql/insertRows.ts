/**
 * Inserts many rows into MySQL or MariaDB: one VALUES list, in which DEFAULT stands for what a row does not give.
 */
import { byKey, byNumber } from "../answeredRows.ts"
import { dependOnEachOther, done, type RowDialect, givenByAll, quoteName, type RowTask } from "../RowDialect.ts"
import { oneByOne } from "./oneByOne.ts"
import { read, selected } from "./readRows.ts"
import { isMysqlRowError } from "./refusal.ts"
import { insertOne } from "./rowStatements.ts"
import { place } from "./values.ts"
import { orderRows } from "../rowOrder.ts"
import type { Row } from "../../database/Session.ts"

/** @internal */
export const mysqlInsert: RowDialect["insert"] = async (asked) => {
  const task = await withKeys(asked)
  const { session, table, rows, columns, key, returning } = task
  const keyColumn = columns.find(({ name }) => name === key)
  const keyKnown = givenByAll(rows, keyColumn)
  const numbering = [...table.columns.values()].find(({ counter }) => counter)
  const numbered = numbering?.name === key && columns.every(({ name }) => name !== key)
  // Numbers are given in the order of the rows; that must stay the caller's.
  const counts =
    numbering !== undefined &&
    !givenByAll(
      rows,
      columns.find(({ name }) => name === numbering.name),
    )
  const order = counts ? undefined : orderRows(task).sequence()
  if (dependOnEachOther(task)) return oneByOne(task, insertOne(task), undefined)
  if (returning !== undefined && !keyKnown && !numbered) return oneByOne(task, insertOne(task), order)
  const sorted = order === undefined ? rows : order.map((index) => rows[index] as Row)
  const values: Array<unknown> = []
  const tuples = sorted.map((row) => `(${columns.map(({ given }) => place(values, row[given])).join(", ")})`)
  const names = columns.map(({ name }) => quoteName(session, name)).join(", ")
  const wanted = returning !== undefined && table.returning ? ` returning ${selected(task)}` : ""
  try {
    const reply = await session.run(
      `/* multistatus */ insert into ${table.text} (${names}) values ${tuples.join(", ")}${wanted}`,
      values,
    )
    if (returning === undefined) return rows.map(() => done)
    const step = table.numberStep ?? 1
    const keys = rows.map((row, index) =>
      keyColumn === undefined ? Number(reply.insertId) + index * step : row[keyColumn.given],
    )
    const found = table.returning ? reply.rows : await read(task, keys)
    return numbered ? byNumber(found) : byKey(keys, found)
  } catch (error) {
    if (!isMysqlRowError(error)) throw error
    return oneByOne(task, insertOne(task), order)
  }
}

// A key that a default would make is not told by the database, so it is made beforehand.
const withKeys = async (task: RowTask): Promise<RowTask> => {
  const { session, table, rows, columns, key, returning } = task
  const initial = table.columns.get(key)?.initial
  if (returning === undefined || initial === undefined) return task
  const given = columns.find(({ name }) => name === key) ?? { given: key, name: key }
  if (givenByAll(rows, given)) return task
  const made = await session.look(
    `/* multistatus */ select (${initial}) as \`~key\` from json_table(?, '$[*]' columns (n for ordinality)) as r`,
    [JSON.stringify(rows.map(() => 0))],
  )
  return {
    ...task,
    columns: columns.includes(given) ? columns : [...columns, given],
    rows: rows.map((row, index) =>
      row[given.given] === undefined ? { ...row, [given.given]: made[index]?.["~key"] } : row,
    ),
  }
}
