import type { RowDialect, RowOutcome, RowError, RowTask } from "../RowDialect.ts"
import { NulCharacterError } from "./postgresText.ts"

/**
 * Wraps a function that runs tasks: rows with a NUL character in a text fail, and the others run. PostgreSQL would reject
 * the whole statement, not the row. Rows are searched for NUL characters only after an attempt has failed.
 *
 * @internal
 */
export const rejectNulRows =
  (run: RowDialect["insert"]): RowDialect["insert"] =>
  async (task) => {
    const result = await tryRun(() => run(task))
    if (!(result instanceof NulCharacterError)) return result
    const size = Math.max(task.rows.length, task.keys.length)
    const errors = new Map<number, RowError>()
    for (const [index, column] of columnsWithNul(task)) {
      errors.set(index, { kind: "type", columns: [column], message: "The text contains a NUL character" })
    }
    if (errors.size === 0) throw result
    const sent = Array.from({ length: size }, (_, index) => index).filter((index) => !errors.has(index))
    const outcomes = Array.from({ length: size }, (_, index): RowOutcome => {
      const error = errors.get(index)
      return error === undefined ? undefined : { error }
    })
    if (sent.length === 0) return outcomes
    const sentOutcomes = await run({ ...task, rows: pick(task.rows, sent), keys: pick(task.keys, sent) })
    for (const [position, index] of sent.entries()) outcomes[index] = sentOutcomes[position]
    return outcomes
  }

// The error is thrown before anything is sent to the database.
const tryRun = async (
  run: () => Promise<ReadonlyArray<RowOutcome>>,
): Promise<ReadonlyArray<RowOutcome> | NulCharacterError> => {
  try {
    return await run()
  } catch (error) {
    if (error instanceof NulCharacterError) return error
    throw error
  }
}

/** Returns the column with a NUL character for each row that has one. */
const columnsWithNul = ({ table, key, columns, rows, keys }: RowTask): ReadonlyMap<number, string> => {
  const found = new Map<number, string>()
  for (let index = 0; index < keys.length; index++) if (hasNul(keys[index], false)) found.set(index, key)
  for (const { given, name } of columns) {
    const isArray = table.columns.get(name)?.encoding === "array"
    for (let index = 0; index < rows.length; index++) {
      if (hasNul(rows[index]![given], isArray) && !found.has(index)) found.set(index, name)
    }
  }
  return found
}

// JSON escapes the character, so the database can reject the row by itself.
const hasNul = (value: unknown, isArray: boolean): boolean =>
  typeof value === "string"
    ? value.includes("\0")
    : isArray && Array.isArray(value) && value.some((inner) => hasNul(inner, true))

const pick = <A>(values: ReadonlyArray<A>, indexes: ReadonlyArray<number>): ReadonlyArray<A> =>
  values.length === 0 ? values : indexes.map((index) => values[index] as A)
