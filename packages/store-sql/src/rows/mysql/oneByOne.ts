import { done, type RowOutcome, type RowTask } from "../RowDialect.ts"
import { mysqlRowErrors, toMysqlRefusal } from "./refusal.ts"
import type { Pieces, RowStatements } from "./rowStatements.ts"
import { hex, plain } from "./values.ts"
import type { Row } from "../../database/Session.ts"

/**
 * Runs a statement for each row, in one call of the store's procedure.
 *
 * **Details** `quote` makes the texts of the statements on the server, of values that the driver escaped.
 *
 * @internal
 */
export const oneByOne = async (
  task: RowTask,
  statementsOf: (index: number) => RowStatements,
  sequence: ReadonlyArray<number> | undefined,
): Promise<ReadonlyArray<RowOutcome>> => {
  const { session, table } = task
  if (table.routine === undefined) {
    throw new Error('The database lacks the routine that isolates rows: run `migrate(db, "mysql")` first')
  }
  const size = Math.max(task.rows.length, task.keys.length)
  const order = sequence ?? Array.from({ length: size }, (_, index) => index)
  const values: Array<unknown> = []
  const todo = order.flatMap((index) => {
    const { statement, answer, answerFirst = false } = statementsOf(index)
    const main = { index, pieces: statement }
    if (answer === undefined) return [main]
    const asking = { index: undefined, pieces: answer }
    return answerFirst ? [asking, main] : [main, asking]
  })
  const statements = todo.map(({ pieces }) => concat(pieces, values))
  const reply = await session.run(
    `/* multistatus */ call ${table.routine}(json_array(${statements.join(", ")}), ?, ?)`,
    [...values, mysqlRowErrors, session.inTransaction ? 0 : 1],
  )
  const outcomes = Array.from<RowOutcome>({ length: size }).fill(done)
  const judged = new Map<number, RowOutcome>()
  // One result set for each row that has something to say. A plugin may have made objects of the arrays.
  for (const entry of reply.rows.flatMap((set) => Object.values(set) as ReadonlyArray<Row | null>)) {
    if (typeof entry !== "object" || entry === null) continue
    const {
      "~row": answered,
      "~key": _,
      "~n": position,
      "~number": number,
      "~state": state,
      "~message": message,
      ...row
    } = entry
    if (answered !== undefined) outcomes[Number(answered)] = { row }
    const index = todo[Number(position)]?.index
    if (index === undefined) continue
    const report = { errno: Number(number), state: String(state), message: String(message) }
    judged.set(index, number === 0 ? undefined : { refusal: toMysqlRefusal(table, report) })
  }
  for (const [index, outcome] of judged) outcomes[index] = outcome
  return outcomes
}

// The text of a statement as an expression: the server quotes the values, numbers stay numbers.
const concat = (pieces: Pieces, values: Array<unknown>): string => {
  const parts: Array<string> = []
  let text = ""
  const flush = () => {
    if (text !== "") {
      parts.push("?")
      values.push(text)
    }
    text = ""
  }
  for (const piece of pieces) {
    if (typeof piece === "string") text += piece
    else {
      const value = plain(piece.value)
      if (value === null) text += "null"
      else if (typeof value === "number" || typeof value === "bigint") text += String(value)
      else if (ArrayBuffer.isView(value)) text += `x'${hex(value)}'`
      else {
        flush()
        parts.push("quote(?)")
        values.push(value)
      }
    }
  }
  flush()
  return `concat(${parts.join(", ")})`
}
