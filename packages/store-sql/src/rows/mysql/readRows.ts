import { byKey } from "../answeredRows.ts"
import { type Outcome, quoteName, type Task } from "../RowDialect.ts"
import { plain } from "./values.ts"
import type { Row } from "../../database/Session.ts"

/** What statements answer with: the key, and the columns asked for. @internal */
export const selected = ({ session, key, returning = [] }: Task): string =>
  [`${quoteName(session, key)} as \`~key\``, ...returning.map((name) => quoteName(session, name))].join(", ")

/** Reads rows by their keys. @internal */
export const read = async (task: Task, keys: ReadonlyArray<unknown>): Promise<ReadonlyArray<Row>> => {
  const { session, facts, key } = task
  const { rows } = await session.run(
    `/* multistatus */ select ${selected(task)} from ${facts.text} where ${quoteName(session, key)} in (${keys.map(() => "?").join(", ")})`,
    keys.map(plain),
  )
  return rows
}

/** Which of the task's keys are there, and their rows. @internal */
export const existing = async (task: Task, returning: Task["returning"]): Promise<ReadonlyArray<Outcome>> =>
  byKey(task.keys, await read(task, task.keys), returning === undefined)
