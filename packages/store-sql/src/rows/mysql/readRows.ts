import type { Row } from "../../database/Session.ts"
import { matchByKey } from "../matchRows.ts"
import { quoteName, type RowOutcome, type RowTask } from "../RowDialect.ts"
import { toMysqlValue } from "./values.ts"

/** The select list of statements: the key as `~key`, and the columns to return. @internal */
export const selectList = ({ session, key, returning = [] }: RowTask): string =>
  [`${quoteName(session, key)} as \`~key\``, ...returning.map((name) => quoteName(session, name))].join(", ")

/** Reads rows by their keys. @internal */
export const readRows = async (task: RowTask, keys: ReadonlyArray<unknown>): Promise<ReadonlyArray<Row>> => {
  const { session, table, key } = task
  const { rows } = await session.run(
    `/* multistatus */ select ${selectList(task)} from ${table.quotedName} where ${quoteName(session, key)} in (${keys.map(() => "?").join(", ")})`,
    keys.map(toMysqlValue),
  )
  return rows
}

/** Reads the rows of the task's keys, as outcomes. @internal */
export const readOutcomes = async (task: RowTask): Promise<ReadonlyArray<RowOutcome>> =>
  matchByKey(task.keys, await readRows(task, task.keys), task.returning === undefined)
