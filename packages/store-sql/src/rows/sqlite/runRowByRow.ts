/**
 * Runs statements on single rows of SQLite.
 *
 * SQLite runs inside the process, so they need no round trips. A failed statement does not affect the transaction.
 */
import { setImmediate as yieldToEventLoop } from "node:timers/promises"

import { succeeded, type RowOutcome, quoteName, type RowTask } from "../RowDialect.ts"
import type { Row } from "../../database/Session.ts"
import { isSqliteRowError, toSqliteRowError } from "./rowError.ts"

/** A statement on one row. */
interface Statement {
  readonly text: string
  readonly values: ReadonlyArray<unknown>
}

/** Returns the statement that inserts a row of a task. @internal */
export const insertRow = (task: RowTask, index: number): Statement => {
  const { session, table, columns } = task
  const row = task.rows[index] as Row
  const given = columns.filter((column) => row[column.given] !== undefined)
  const names = given.map(({ name }) => quoteName(session, name)).join(", ")
  const values = given.length === 0 ? "default values" : `(${names}) values (${given.map(() => "?").join(", ")})`
  return { text: `insert into ${table.quotedName} ${values}`, values: given.map((column) => row[column.given]) }
}

/** Returns the statement that updates a row of a task. @internal */
export const updateRow = (task: RowTask, index: number): Statement => {
  const { session, table, columns, key, keys } = task
  const row = task.rows[index] as Row
  const given = columns.filter((column) => row[column.given] !== undefined)
  const name = quoteName(session, key)
  const set = given.map((column) => `${quoteName(session, column.name)} = ?`).join(", ")
  return {
    text: `update ${table.quotedName} set ${set === "" ? `${name} = ${name}` : set} where ${name} = ?`,
    values: [...given.map((column) => row[column.given]), keys[index]],
  }
}

/** Returns the statement that deletes a row of a task. @internal */
export const deleteRow = ({ session, table, key, keys }: RowTask, index: number): Statement => ({
  text: `delete from ${table.quotedName} where ${quoteName(session, key)} = ?`,
  values: [keys[index]],
})

/** Milliseconds after which a call yields to the event loop. */
const maximumBusyMs = 10

/** Runs a statement for each row, in one transaction. @internal */
export const runRowByRow = (
  task: RowTask,
  statementOf: (task: RowTask, index: number) => Statement,
): Promise<ReadonlyArray<RowOutcome>> =>
  task.session.atomically(async (session) => {
    const innerTask = { ...task, session }
    const outcomes: Array<RowOutcome> = []
    const size = Math.max(task.rows.length, task.keys.length)
    let busySince = performance.now()
    for (let index = 0; index < size; index++) {
      if (performance.now() - busySince > maximumBusyMs) {
        await yieldToEventLoop()
        busySince = performance.now()
      }
      const { text, values } = statementOf(innerTask, index)
      try {
        const { rows } = await session.run(
          `/* multistatus */ ${text} returning ${selectList(task)}`,
          values.map(toSqliteValue),
        )
        const [found] = rows
        if (found === undefined || task.returning === undefined)
          outcomes.push(found === undefined ? undefined : succeeded)
        else {
          const { "~key": _, ...row } = found
          outcomes.push({ row })
        }
      } catch (error) {
        if (!isSqliteRowError(error)) throw error
        const rowError = toSqliteRowError(task.table, error)
        const columns =
          rowError.kind === "foreign-key" ? await missingReferenceColumns(innerTask, index) : rowError.columns
        outcomes.push({ error: { ...rowError, columns } })
      }
    }
    return outcomes
  })

// SQLite does not report which foreign key failed. If the row sets several, their referenced rows are looked up.
const missingReferenceColumns = async (
  { session, table, columns, rows }: RowTask,
  index: number,
): Promise<ReadonlyArray<string>> => {
  const row = rows[index]
  const foreignKeys = [...table.constraints].filter(([, { kind }]) => kind === "foreign-key")
  const givenForeignKeys = foreignKeys.filter(([, constraint]) =>
    constraint.columns.every((name) => {
      const column = columns.find((candidate) => candidate.name === name)
      return column !== undefined && row?.[column.given] !== undefined && row[column.given] !== null
    }),
  )
  if (givenForeignKeys.length < 2) return givenForeignKeys[0]?.[1].columns ?? []
  const tableName = /"((?:[^"]|"")*)"$/.exec(table.quotedName)?.[1]?.replaceAll('""', '"')
  for (const [name, constraint] of givenForeignKeys) {
    const parts = await session.query(
      `select f."table" as target, coalesce(f."to", p.name) as parent from pragma_foreign_key_list(?) f
        left join pragma_table_info(f."table") p on p.pk = f.seq + 1 where f.id = ? order by f.seq`,
      [tableName, Number(name.slice("foreign key ".length))],
    )
    const where = parts.map(({ parent }) => `${quoteName(session, String(parent))} = ?`).join(" and ")
    const values = constraint.columns.map((column) =>
      toSqliteValue(row?.[columns.find((given) => given.name === column)?.given ?? ""]),
    )
    const found = await session.query(
      `select 1 from ${quoteName(session, String(parts[0]?.["target"]))} where ${where}`,
      values,
    )
    if (found.length === 0) return constraint.columns
  }
  return []
}

/** Converts a value for the driver. Objects and arrays become JSON. @internal */
export const toSqliteValue = (value: unknown): unknown => {
  if (value === undefined) return null
  if (typeof value !== "object" || value === null || value instanceof Date || ArrayBuffer.isView(value)) return value
  return JSON.stringify(value)
}

/** The RETURNING list of statements: the key as `~key`, and the columns to return. @internal */
export const selectList = ({ session, key, returning = [] }: RowTask): string =>
  [`${quoteName(session, key)} as "~key"`, ...returning.map((name) => quoteName(session, name))].join(", ")
