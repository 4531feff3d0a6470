/**
 * Statements on single rows of MySQL and MariaDB.
 */
import { quoteName, type RowTask } from "../RowDialect.ts"
import { selected } from "./readRows.ts"
import type { Row } from "../../database/Session.ts"

/** A statement in pieces: SQL as it is, and values between it. @internal */
export type Pieces = ReadonlyArray<string | { readonly value: unknown }>

/** What is run for one row: the statement, and one that answers with the row, before or after it. @internal */
export interface RowStatements {
  readonly statement: Pieces
  readonly answer: Pieces | undefined
  readonly answerFirst?: boolean
}

/** @internal */
export const insertOne =
  (task: RowTask) =>
  (index: number): RowStatements => {
    const { session, table, key } = task
    const row = task.rows[index] as Row
    const given = task.columns.filter((column) => row[column.given] !== undefined)
    const keyColumn = given.find(({ name }) => name === key)
    const values = given.flatMap((column, position) => [position === 0 ? "" : ", ", { value: row[column.given] }])
    return {
      statement: [
        `insert into ${table.text} (${given.map(({ name }) => quoteName(session, name)).join(", ")}) values (`,
        ...values,
        ")",
      ],
      answer: answerOf(task, index, keyColumn === undefined ? ["last_insert_id()"] : [{ value: row[keyColumn.given] }]),
    }
  }

/** @internal */
export const updateOne =
  (task: RowTask) =>
  (index: number): RowStatements => {
    const { session, table, key } = task
    const row = task.rows[index] as Row
    const given = task.columns.filter((column) => row[column.given] !== undefined)
    const set = given.flatMap((column, position) => [
      `${position === 0 ? "" : ", "}${quoteName(session, column.name)} = `,
      { value: row[column.given] },
    ])
    const nothing = `${quoteName(session, key)} = ${quoteName(session, key)}`
    const target = [{ value: task.keys[index] }]
    const newKey = given.find(({ name }) => name === key)
    return {
      statement: [`update ${table.text} set `, ...(set.length === 0 ? [nothing] : set), ...whereKey(task, target)],
      answer: answerOf(task, index, newKey === undefined ? target : [{ value: row[newKey.given] }]),
    }
  }

/** @internal */
export const removeOne =
  (task: RowTask) =>
  (index: number): RowStatements => {
    const target = [{ value: task.keys[index] }]
    return {
      statement: [`delete from ${task.table.text}`, ...whereKey(task, target)],
      answer: answerOf(task, index, target),
      answerFirst: true,
    }
  }

const whereKey = ({ session, key }: RowTask, value: Pieces): Pieces => [
  ` where ${quoteName(session, key)} = `,
  ...value,
]

const answerOf = (task: RowTask, index: number, key: Pieces): Pieces | undefined =>
  task.returning === undefined
    ? undefined
    : [`select ${index} as \`~row\`, ${selected(task)} from ${task.table.text}`, ...whereKey(task, key)]
