/**
 * Statements on single rows of MySQL and MariaDB, for the routine.
 */
import { quoteName, type RowTask } from "../RowDialect.ts"
import { selectList } from "./readRows.ts"
import type { Row } from "../../database/Session.ts"

/** A statement as parts: SQL texts and values. @internal */
export type StatementParts = ReadonlyArray<string | { readonly value: unknown }>

/** The statements for one row. @internal */
export interface RowStatements {
  readonly statement: StatementParts
  /** Reads the columns to return. */
  readonly select: StatementParts | undefined
  /** Whether `select` runs before `statement`. Default false. */
  readonly selectsFirst?: boolean
}

/** Returns the statements that insert a row of a task. @internal */
export const insertRow =
  (task: RowTask) =>
  (index: number): RowStatements => {
    const { session, table, key } = task
    const row = task.rows[index] as Row
    const given = task.columns.filter((column) => row[column.given] !== undefined)
    const keyColumn = given.find(({ name }) => name === key)
    const values = given.flatMap((column, position) => [position === 0 ? "" : ", ", { value: row[column.given] }])
    return {
      statement: [
        `insert into ${table.quotedName} (${given.map(({ name }) => quoteName(session, name)).join(", ")}) values (`,
        ...values,
        ")",
      ],
      select: selectRow(
        task,
        index,
        keyColumn === undefined ? ["last_insert_id()"] : [{ value: row[keyColumn.given] }],
      ),
    }
  }

/** Returns the statements that update a row of a task. @internal */
export const updateRow =
  (task: RowTask) =>
  (index: number): RowStatements => {
    const { session, table, key } = task
    const row = task.rows[index] as Row
    const given = task.columns.filter((column) => row[column.given] !== undefined)
    const set = given.flatMap((column, position) => [
      `${position === 0 ? "" : ", "}${quoteName(session, column.name)} = `,
      { value: row[column.given] },
    ])
    const noChange = `${quoteName(session, key)} = ${quoteName(session, key)}`
    const oldKey = [{ value: task.keys[index] }]
    const newKey = given.find(({ name }) => name === key)
    return {
      statement: [
        `update ${table.quotedName} set `,
        ...(set.length === 0 ? [noChange] : set),
        ...whereKey(task, oldKey),
      ],
      select: selectRow(task, index, newKey === undefined ? oldKey : [{ value: row[newKey.given] }]),
    }
  }

/** Returns the statements that delete a row of a task. @internal */
export const deleteRow =
  (task: RowTask) =>
  (index: number): RowStatements => {
    const oldKey = [{ value: task.keys[index] }]
    return {
      statement: [`delete from ${task.table.quotedName}`, ...whereKey(task, oldKey)],
      select: selectRow(task, index, oldKey),
      selectsFirst: true,
    }
  }

const whereKey = ({ session, key }: RowTask, value: StatementParts): StatementParts => [
  ` where ${quoteName(session, key)} = `,
  ...value,
]

const selectRow = (task: RowTask, index: number, key: StatementParts): StatementParts | undefined =>
  task.returning === undefined
    ? undefined
    : [`select ${index} as \`~row\`, ${selectList(task)} from ${task.table.quotedName}`, ...whereKey(task, key)]
