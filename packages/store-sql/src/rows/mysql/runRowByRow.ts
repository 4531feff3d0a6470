import { succeeded, type RowOutcome, type RowTask } from "../RowDialect.ts"
import { mysqlRowErrorNumbers, toMysqlRowError } from "./rowError.ts"
import type { RowStatements, StatementParts } from "./rowStatements.ts"
import { toHex, toMysqlValue } from "./values.ts"
import type { Row } from "../../database/Session.ts"

/**
 * Runs a statement for each row, with one call of the routine that `migrate` installs.
 *
 * **Details** The driver escapes the values, and the server quotes them with `quote` to build the statements.
 *
 * @internal
 */
export const runRowByRow = async (
  task: RowTask,
  statementsOf: (index: number) => RowStatements,
  sequence: ReadonlyArray<number> | undefined,
): Promise<ReadonlyArray<RowOutcome>> => {
  const { session, table } = task
  if (table.routine === undefined) {
    throw new Error('The database has no routine that isolates failing rows: run `migrate(db, "mysql")` first')
  }
  const size = Math.max(task.rows.length, task.keys.length)
  const order = sequence ?? Array.from({ length: size }, (_, index) => index)
  const values: Array<unknown> = []
  const steps = order.flatMap((index) => {
    const { statement, select, selectsFirst = false } = statementsOf(index)
    const change = { index, parts: statement }
    if (select === undefined) return [change]
    const read = { index: undefined, parts: select }
    return selectsFirst ? [read, change] : [change, read]
  })
  const statements = steps.map(({ parts }) => toConcat(parts, values))
  const reply = await session.run(
    `/* multistatus */ call ${table.routine}(json_array(${statements.join(", ")}), ?, ?)`,
    [...values, mysqlRowErrorNumbers, session.inTransaction ? 0 : 1],
  )
  const outcomes = Array.from<RowOutcome>({ length: size }).fill(succeeded)
  const failed = new Map<number, RowOutcome>()
  // The routine returns one result set per row that was read or failed. A plugin may have converted the arrays to objects.
  for (const entry of reply.rows.flatMap((set) => Object.values(set) as ReadonlyArray<Row | null>)) {
    if (typeof entry !== "object" || entry === null) continue
    const {
      "~row": readRow,
      "~key": _,
      "~n": position,
      "~number": number,
      "~state": state,
      "~message": message,
      ...row
    } = entry
    if (readRow !== undefined) outcomes[Number(readRow)] = { row }
    const index = steps[Number(position)]?.index
    if (index === undefined) continue
    const report = { errno: Number(number), state: String(state), message: String(message) }
    // The number 0 means that the statement found no row.
    failed.set(index, number === 0 ? undefined : { error: toMysqlRowError(table, report) })
  }
  for (const [index, outcome] of failed) outcomes[index] = outcome
  return outcomes
}

// Returns an SQL expression for the text of a statement, in which the server quotes the values. Numbers are not quoted.
const toConcat = (statement: StatementParts, values: Array<unknown>): string => {
  const expressions: Array<string> = []
  let text = ""
  const flush = () => {
    if (text !== "") {
      expressions.push("?")
      values.push(text)
    }
    text = ""
  }
  for (const part of statement) {
    if (typeof part === "string") text += part
    else {
      const value = toMysqlValue(part.value)
      if (value === null) text += "null"
      else if (typeof value === "number" || typeof value === "bigint") text += String(value)
      else if (ArrayBuffer.isView(value)) text += `x'${toHex(value)}'`
      else {
        flush()
        expressions.push("quote(?)")
        values.push(value)
      }
    }
  }
  flush()
  return `concat(${expressions.join(", ")})`
}
