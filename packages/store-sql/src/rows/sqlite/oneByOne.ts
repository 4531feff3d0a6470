/**
 * Statements on single rows of SQLite.
 *
 * Inside the process they cost no round trips, and one that fails leaves its transaction as it was before it.
 */
import { setImmediate as turn } from "node:timers/promises"

import { done, type RowOutcome, quoteName, type RowTask } from "../RowDialect.ts"
import type { Row } from "../../database/Session.ts"
import { isSqliteRowError, toSqliteRefusal } from "./refusal.ts"

interface Statement {
  readonly text: string
  readonly values: ReadonlyArray<unknown>
}

/** @internal */
export const insertOne = (task: RowTask, index: number): Statement => {
  const { session, table, columns } = task
  const row = task.rows[index] as Row
  const given = columns.filter((column) => row[column.given] !== undefined)
  const names = given.map(({ name }) => quoteName(session, name)).join(", ")
  const values = given.length === 0 ? "default values" : `(${names}) values (${given.map(() => "?").join(", ")})`
  return { text: `insert into ${table.text} ${values}`, values: given.map((column) => row[column.given]) }
}

/** @internal */
export const updateOne = (task: RowTask, index: number): Statement => {
  const { session, table, columns, key, keys } = task
  const row = task.rows[index] as Row
  const given = columns.filter((column) => row[column.given] !== undefined)
  const name = quoteName(session, key)
  const set = given.map((column) => `${quoteName(session, column.name)} = ?`).join(", ")
  return {
    text: `update ${table.text} set ${set === "" ? `${name} = ${name}` : set} where ${name} = ?`,
    values: [...given.map((column) => row[column.given]), keys[index]],
  }
}

/** @internal */
export const removeOne = ({ session, table, key, keys }: RowTask, index: number): Statement => ({
  text: `delete from ${table.text} where ${quoteName(session, key)} = ?`,
  values: [keys[index]],
})

/** Milliseconds after which the process gets round to other things than the rows of one call. */
const mostBusyMs = 10

/** Runs a statement for each row, in one transaction. @internal */
export const oneByOne = (
  task: RowTask,
  statementOf: (task: RowTask, index: number) => Statement,
): Promise<ReadonlyArray<RowOutcome>> =>
  task.session.atomically(async (session) => {
    const inner = { ...task, session }
    const outcomes: Array<RowOutcome> = []
    const size = Math.max(task.rows.length, task.keys.length)
    let busySince = performance.now()
    for (let index = 0; index < size; index++) {
      if (performance.now() - busySince > mostBusyMs) {
        await turn()
        busySince = performance.now()
      }
      const { text, values } = statementOf(inner, index)
      try {
        const { rows } = await session.run(`/* multistatus */ ${text} returning ${selected(task)}`, values.map(plain))
        const [found] = rows
        if (found === undefined || task.returning === undefined) outcomes.push(found === undefined ? undefined : done)
        else {
          const { "~key": _, ...row } = found
          outcomes.push({ row })
        }
      } catch (error) {
        if (!isSqliteRowError(error)) throw error
        const refusal = toSqliteRefusal(task.table, error)
        const columns = refusal.kind === "foreign-key" ? await danglingColumns(inner, index) : refusal.columns
        outcomes.push({ refusal: { ...refusal, columns } })
      }
    }
    return outcomes
  })

// SQLite does not say which foreign key failed. With one there is no doubt; else its parents are looked for.
const danglingColumns = async (
  { session, table, columns, rows }: RowTask,
  index: number,
): Promise<ReadonlyArray<string>> => {
  const row = rows[index]
  const keys = [...table.constraints].filter(([, { kind }]) => kind === "foreign-key")
  const given = keys.filter(([, constraint]) =>
    constraint.columns.every((name) => {
      const column = columns.find((candidate) => candidate.name === name)
      return column !== undefined && row?.[column.given] !== undefined && row[column.given] !== null
    }),
  )
  if (given.length < 2) return given[0]?.[1].columns ?? []
  const tableName = /"((?:[^"]|"")*)"$/.exec(table.text)?.[1]?.replaceAll('""', '"')
  for (const [name, constraint] of given) {
    const parts = await session.look(
      `select f."table" as target, coalesce(f."to", p.name) as parent from pragma_foreign_key_list(?) f
        left join pragma_table_info(f."table") p on p.pk = f.seq + 1 where f.id = ? order by f.seq`,
      [tableName, Number(name.slice("foreign key ".length))],
    )
    const where = parts.map(({ parent }) => `${quoteName(session, String(parent))} = ?`).join(" and ")
    const values = constraint.columns.map((column) =>
      plain(row?.[columns.find((given) => given.name === column)?.given ?? ""]),
    )
    const found = await session.look(
      `select 1 from ${quoteName(session, String(parts[0]?.["target"]))} where ${where}`,
      values,
    )
    if (found.length === 0) return constraint.columns
  }
  return []
}

/** A value as the driver is given it: objects and arrays as JSON. @internal */
export const plain = (value: unknown): unknown => {
  if (value === undefined) return null
  if (typeof value !== "object" || value === null || value instanceof Date || ArrayBuffer.isView(value)) return value
  return JSON.stringify(value)
}

/** What statements answer with: the key, and the columns asked for. @internal */
export const selected = ({ session, key, returning = [] }: RowTask): string =>
  [`${quoteName(session, key)} as "~key"`, ...returning.map((name) => quoteName(session, name))].join(", ")
