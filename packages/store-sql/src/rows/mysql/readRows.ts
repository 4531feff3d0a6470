import { byKey } from "../answeredRows.ts"
import { type RowOutcome, quoteName, type RowTask } from "../RowDialect.ts"
import { plain } from "./values.ts"
import type { Row } from "../../database/Session.ts"

/** What statements answer with: the key, and the columns asked for. @internal */
export const selected = ({ session, key, returning = [] }: RowTask): string =>
  [`${quoteName(session, key)} as \`~key\``, ...returning.map((name) => quoteName(session, name))].join(", ")

/** Reads rows by their keys. @internal */
export const read = async (task: RowTask, keys: ReadonlyArray<unknown>): Promise<ReadonlyArray<Row>> => {
  const { session, table, key } = task
  const { rows } = await session.run(
    `/* multistatus */ select ${selected(task)} from ${table.text} where ${quoteName(session, key)} in (${keys.map(() => "?").join(", ")})`,
    keys.map(plain),
  )
  return rows
}

/** Which of the task's keys are there, and their rows. @internal */
export const existing = async (task: RowTask, returning: RowTask["returning"]): Promise<ReadonlyArray<RowOutcome>> =>
  byKey(task.keys, await read(task, task.keys), returning === undefined)
