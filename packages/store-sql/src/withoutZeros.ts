import type { Engine, Outcome, Refusal, Task } from "./ManyRows.ts"

/**
 * Sets rows aside whose texts have a zero character: PostgreSQL cannot even be sent those, and would refuse the statement
 * instead of the row.
 *
 * @internal
 */
export const withoutZeros =
  (run: Engine["insert"]): Engine["insert"] =>
  async (task) => {
    const refusals = new Map<number, Refusal>()
    const size = Math.max(task.rows.length, task.keys.length)
    for (let index = 0; index < size; index++) {
      const column = columnWithZero(task, index)
      if (column === undefined) continue
      refusals.set(index, { kind: "type", columns: [column], message: "The text has a character with code zero" })
    }
    if (refusals.size === 0) return run(task)
    const sent = Array.from({ length: size }, (_, index) => index).filter((index) => !refusals.has(index))
    const outcomes = Array.from({ length: size }, (_, index): Outcome => {
      const refusal = refusals.get(index)
      return refusal === undefined ? undefined : { refusal }
    })
    if (sent.length === 0) return outcomes
    const parts = await run({ ...task, rows: pick(task.rows, sent), keys: pick(task.keys, sent) })
    for (const [place, index] of sent.entries()) outcomes[index] = parts[place]
    return outcomes
  }

const columnWithZero = ({ facts, key, columns, rows, keys }: Task, index: number): string | undefined => {
  if (hasZero(keys[index], false)) return key
  const row = rows[index]
  if (row === undefined) return undefined
  return columns.find(({ given, name }) => hasZero(row[given], facts.columns.get(name)?.form === "array"))?.name
}

// In JSON the character is escaped, and a column that cannot have it refuses its row.
const hasZero = (value: unknown, array: boolean): boolean =>
  typeof value === "string"
    ? value.includes("\0")
    : array && Array.isArray(value) && value.some((inner) => hasZero(inner, true))

const pick = <A>(values: ReadonlyArray<A>, indexes: ReadonlyArray<number>): ReadonlyArray<A> =>
  values.length === 0 ? values : indexes.map((index) => values[index] as A)
