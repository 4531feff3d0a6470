/**
 * Updates many rows of MySQL or MariaDB: one statement for each set of columns, which joins the rows as a table of JSON.
 *
 * Nothing tells which rows such a statement found. If they were not all, the keys are looked up afterwards.
 */
import { dependOnEachOther, done, type RowDialect, type RowOutcome, quoteName, type RowTask } from "../RowDialect.ts"
import { oneByOne } from "./oneByOne.ts"
import { existing } from "./readRows.ts"
import { isMysqlRowError } from "./refusal.ts"
import { updateOne } from "./rowStatements.ts"
import { isBytes, joinable, jsonPlace, jsonType } from "./values.ts"
import { ascending } from "../rowOrder.ts"

/** @internal */
export const mysqlUpdate: RowDialect["update"] = async (task) => {
  const shapes = Map.groupBy(
    task.rows.map((row, index) => ({ row, index })),
    ({ row }) => task.columns.map(({ given }) => (row[given] === undefined ? "0" : "1")).join(""),
  )
  const outcomes = Array.from<RowOutcome>({ length: task.rows.length })
  // Values that pass from row to row must do so in the order of the rows, which shapes would mix up.
  if (shapes.size > 1 && touchesUnique(task)) return oneByOne(task, updateOne(task), undefined)
  for (const members of shapes.values()) {
    const rows = members.map(({ row }) => row)
    const columns = task.columns.filter(({ given }) => rows[0]?.[given] !== undefined)
    const keys = members.map(({ index }) => task.keys[index])
    const parts = await updateAlike({ ...task, rows, columns, keys })
    for (const [place, { index }] of members.entries()) outcomes[index] = parts[place]
  }
  return outcomes
}

const updateAlike = async (task: RowTask): Promise<ReadonlyArray<RowOutcome>> => {
  const { session, table, rows, columns, keys, key, returning } = task
  if (columns.length === 0) return existing(task, returning)
  const one = updateOne(task)
  const ranked = touchesUnique(task) ? undefined : ascending(keys)
  if (dependOnEachOther(task)) return oneByOne(task, one, undefined)
  if (columns.some(({ name }) => name === key)) return oneByOne(task, one, ranked)
  const values: Array<unknown> = []
  const cells = rows.map(
    (row, index) =>
      `json_array(${[keys[index], ...columns.map(({ given }) => row[given])].map((value) => jsonPlace(values, value)).join(", ")})`,
  )
  const types = [key, ...columns.map(({ name }) => name)].map((name) => table.columns.get(name))
  const source = `json_table(json_array(${cells.join(", ")}), '$[*]' columns (${types.map((type, index) => `c${index} ${jsonType(type, index === 0)} path '$[${index}]'`).join(", ")}))`
  const match = `t.${quoteName(session, key)} = ${joinable(types[0], "r.c0")}`
  const set = columns.map(
    ({ name }, index) =>
      `t.${quoteName(session, name)} = ${isBytes(types[index + 1]) ? `unhex(r.c${index + 1})` : `r.c${index + 1}`}`,
  )
  const guard = handOver(task, source, values)
  try {
    const reply = await session.run(
      `/* multistatus */ update ${table.text} as t join ${source} as r on ${match}${guard?.text ?? ""} set ${set.join(", ")}`,
      guard?.values ?? values,
    )
    // Nothing at all: none is there, or a row takes what another has.
    if (guard !== undefined && reply.affected === 0) return oneByOne(task, one, undefined)
    if (reply.affected === rows.length && returning === undefined) return rows.map(() => done)
    return existing(task, returning)
  } catch (error) {
    if (!isMysqlRowError(error)) throw error
    return oneByOne(task, one, ranked)
  }
}

const touchesUnique = ({ table, columns, rows }: RowTask): boolean =>
  rows.length > 1 &&
  table.uniques.some(
    (unique) => unique.computed || unique.columns.some((name) => columns.some((column) => column.name === name)),
  )

// As on PostgreSQL: where a row takes a unique value that another has, nothing is done, and the rows come one by one.
const handOver = ({ session, table, columns, rows, key }: RowTask, source: string, values: ReadonlyArray<unknown>) => {
  if (rows.length < 2) return undefined
  const places = new Map(columns.map(({ name }, index) => [name, index + 1]))
  const touched = table.uniques.flatMap(({ columns: names }) => names.filter((name) => places.has(name)).slice(0, 1))
  if (touched.length === 0) return undefined
  const match = `o.${quoteName(session, key)} = ${joinable(table.columns.get(key), "a.c0")}`
  const taken = touched
    .map((name) => {
      const column = table.columns.get(name)
      const value = `b.c${places.get(name)}`
      return `o.${quoteName(session, name)} = ${joinable(column, value)}`
    })
    .join(" or ")
  return {
    text: ` join (select count(*) as taken from ${table.text} as o join ${source} as a on ${match} join ${source} as b on b.c0 <> a.c0 and (${taken})) as g on g.taken = 0`,
    values: [...values, ...values, ...values],
  }
}
