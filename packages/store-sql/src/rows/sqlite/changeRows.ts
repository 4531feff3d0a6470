/**
 * Statements on many rows for SQLite.
 *
 * Rows are a VALUES list of parameters, in parts where they exceed what one statement may have; for what a row does not
 * give, the default stands in the list. Where a statement fails, the rows come one by one in one transaction: inside the
 * process that costs no round trips, and a statement that fails leaves the transaction as it was before it.
 */
import { byKey, byNumber } from "../answeredRows.ts"
import {
  dependOnEachOther,
  done,
  type RowDialect,
  givenByAll,
  type RowOutcome,
  quoteName,
  type RowTask,
} from "../RowDialect.ts"
import type { Row } from "../../database/Session.ts"
import { insertOne, oneByOne, plain, removeOne, selected, updateOne } from "./oneByOne.ts"
import { isSqliteRowError } from "./refusal.ts"

const maximumParameters = 32_766

const insert: RowDialect["insert"] = async (task) => {
  const { table, rows, columns, key, returning } = task
  const keyColumn = columns.find(({ name }) => name === key)
  const numbered =
    table.columns.get(key)?.counter === true &&
    rows.every((row) => keyColumn === undefined || row[keyColumn.given] === undefined)
  const keyKnown = givenByAll(rows, keyColumn)
  const named = columns.map(({ name }) => name)
  if (
    named.length === 0 ||
    table.interferes ||
    dependOnEachOther(task) ||
    (returning !== undefined && !keyKnown && !numbered)
  )
    return oneByOne(task, insertOne)
  return inParts(rows.length, columns.length, async (start, end) => {
    const part = { ...task, rows: rows.slice(start, end) }
    try {
      const found = await insertSome(part, named)
      if (returning === undefined) return part.rows.map(() => done)
      return numbered
        ? byNumber(found)
        : byKey(
            part.rows.map((row) => row[keyColumn?.given ?? ""]),
            found,
          )
    } catch (error) {
      if (!isSqliteRowError(error)) throw error
      return oneByOne(part, insertOne)
    }
  })
}

const update: RowDialect["update"] = async (task) => {
  const { columns, keys, rows, key } = task
  if (dependOnEachOther(task) || columns.length === 0 || columns.some(({ name }) => name === key))
    return oneByOne(task, updateOne)
  const flagged = columns.filter((column) => !givenByAll(rows, column))
  return inParts(keys.length, columns.length + flagged.length + 1, async (start, end) => {
    const part = { ...task, rows: rows.slice(start, end), keys: keys.slice(start, end) }
    try {
      const guard = handOver(part)
      const found = await updateSome(part, flagged, guard)
      // Nothing at all: none is there, or a row takes what another has.
      if (found.length === 0 && guard !== undefined) return oneByOne(part, updateOne)
      return byKey(part.keys, found, task.returning === undefined)
    } catch (error) {
      if (!isSqliteRowError(error)) throw error
      return oneByOne(part, updateOne)
    }
  })
}

const remove: RowDialect["remove"] = async (task) => {
  const { session, table, keys, key, returning } = task
  if (dependOnEachOther(task)) return oneByOne(task, removeOne)
  return inParts(keys.length, 1, async (start, end) => {
    const part = { ...task, keys: keys.slice(start, end) }
    const list = part.keys.map(() => "?").join(", ")
    try {
      const { rows } = await session.run(
        `/* multistatus */ delete from ${table.text} where ${quoteName(session, key)} in (${list}) returning ${selected(task)}`,
        part.keys.map(plain),
      )
      return byKey(part.keys, rows, returning === undefined)
    } catch (error) {
      if (!isSqliteRowError(error)) throw error
      return oneByOne(part, removeOne)
    }
  })
}

/** @internal */
export const sqliteRowDialect: RowDialect = { insert, update, remove }

const insertSome = async (task: RowTask, named: ReadonlyArray<string>): Promise<ReadonlyArray<Row>> => {
  const { session, table, rows, columns, returning } = task
  const values: Array<unknown> = []
  const cells = named.map((name) => ({
    given: columns.find((column) => column.name === name)?.given,
    initial: initialOf(task, name),
  }))
  const tuples = rows.map((row) => {
    const tuple = cells.map(({ given, initial }) => {
      const value = given === undefined ? undefined : row[given]
      if (value === undefined) return initial
      values.push(plain(value))
      return "?"
    })
    return `(${tuple.join(", ")})`
  })
  const names = named.map((name) => quoteName(session, name)).join(", ")
  const answer = returning === undefined ? "" : ` returning ${selected(task)}`
  const reply = await session.run(
    `/* multistatus */ insert into ${table.text} (${names}) values ${tuples.join(", ")}${answer}`,
    values,
  )
  return reply.rows
}

const updateSome = async (
  task: RowTask,
  flagged: RowTask["columns"],
  guard: string | undefined,
): Promise<ReadonlyArray<Row>> => {
  const { session, table, rows, columns, key, keys } = task
  const values: Array<unknown> = []
  const tuples = rows.map((row, index) => {
    values.push(plain(keys[index]), ...columns.map(({ given }) => plain(row[given])))
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
      update ${table.text} as t set ${set.join(", ")} from r where t.${quoteName(session, key)} = r.k${guard ?? ""}
      returning ${selected(task)}`,
    values,
  )
  return reply.rows
}

const inParts = async (
  size: number,
  width: number,
  run: (start: number, end: number) => Promise<ReadonlyArray<RowOutcome>>,
): Promise<ReadonlyArray<RowOutcome>> => {
  const step = Math.floor(maximumParameters / Math.max(width, 1))
  if (size <= step) return run(0, size)
  const outcomes: Array<RowOutcome> = []
  for (let start = 0; start < size; start += step) outcomes.push(...(await run(start, Math.min(start + step, size))))
  return outcomes
}

const initialOf = ({ table }: RowTask, name: string): string => {
  const initial = table.columns.get(name)?.initial
  return initial === undefined ? "null" : `(${initial})`
}

// As on PostgreSQL: where a row takes a unique value that another has, nothing is done, and the rows come one by one.
const handOver = ({ session, table, columns, rows, key }: RowTask): string | undefined => {
  if (rows.length < 2) return undefined
  const places = new Map(columns.map(({ name }, index) => [name, index]))
  const touched = table.uniques.filter((unique) => unique.columns.some((name) => places.has(name)))
  if (touched.length === 0) return undefined
  if (touched.some(({ computed }) => computed)) return " and false"
  const taken = touched.map((unique) => {
    const name = unique.columns.find((column) => places.has(column)) as string
    return `b.c${places.get(name)} = o.${quoteName(session, name)}`
  })
  return ` and not exists (select 1 from ${table.text} as o join r as a on o.${quoteName(session, key)} = a.k join r as b on b.k <> a.k and (${taken.join(" or ")}))`
}
