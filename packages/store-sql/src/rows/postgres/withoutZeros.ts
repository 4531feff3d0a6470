import type { RowDialect, RowOutcome, Refusal, RowTask } from "../RowDialect.ts"
import { ZeroCharacter } from "./postgresText.ts"

/**
 * Sets rows aside whose texts have a zero character: PostgreSQL cannot even be sent those, and would refuse the statement
 * instead of the row. They are looked for once there is one.
 *
 * @internal
 */
export const withoutZeros =
  (run: RowDialect["insert"]): RowDialect["insert"] =>
  async (task) => {
    const zero = await attempt(() => run(task))
    if (!(zero instanceof ZeroCharacter)) return zero
    const size = Math.max(task.rows.length, task.keys.length)
    const refusals = new Map<number, Refusal>()
    for (const [index, column] of columnsWithZeros(task)) {
      refusals.set(index, { kind: "type", columns: [column], message: "The text has a character with code zero" })
    }
    if (refusals.size === 0) throw zero
    const sent = Array.from({ length: size }, (_, index) => index).filter((index) => !refusals.has(index))
    const outcomes = Array.from({ length: size }, (_, index): RowOutcome => {
      const refusal = refusals.get(index)
      return refusal === undefined ? undefined : { refusal }
    })
    if (sent.length === 0) return outcomes
    const parts = await run({ ...task, rows: pick(task.rows, sent), keys: pick(task.keys, sent) })
    for (const [place, index] of sent.entries()) outcomes[index] = parts[place]
    return outcomes
  }

// It is thrown before anything is sent.
const attempt = async (
  run: () => Promise<ReadonlyArray<RowOutcome>>,
): Promise<ReadonlyArray<RowOutcome> | ZeroCharacter> => {
  try {
    return await run()
  } catch (error) {
    if (error instanceof ZeroCharacter) return error
    throw error
  }
}

const columnsWithZeros = ({ table, key, columns, rows, keys }: RowTask): ReadonlyMap<number, string> => {
  const found = new Map<number, string>()
  for (let index = 0; index < keys.length; index++) if (hasZero(keys[index], false)) found.set(index, key)
  for (const { given, name } of columns) {
    const array = table.columns.get(name)?.form === "array"
    for (let index = 0; index < rows.length; index++) {
      if (hasZero(rows[index]![given], array) && !found.has(index)) found.set(index, name)
    }
  }
  return found
}

// In JSON the character is escaped, and a column that cannot have it refuses its row.
const hasZero = (value: unknown, array: boolean): boolean =>
  typeof value === "string"
    ? value.includes("\0")
    : array && Array.isArray(value) && value.some((inner) => hasZero(inner, true))

const pick = <A>(values: ReadonlyArray<A>, indexes: ReadonlyArray<number>): ReadonlyArray<A> =>
  values.length === 0 ? values : indexes.map((index) => values[index] as A)
