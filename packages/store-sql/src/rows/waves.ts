import type { RowOutcome } from "./RowDialect.ts"
import { canonical } from "./rowOrder.ts"

/**
 * Runs rows with the same key one after the other, all others together: the first row of every key, then the second ones.
 *
 * @internal
 */
export const inWaves = async (
  keys: ReadonlyArray<unknown>,
  run: (indexes: ReadonlyArray<number>) => Promise<ReadonlyArray<RowOutcome>>,
): Promise<ReadonlyArray<RowOutcome>> => {
  const seen = new Map<string, number>()
  const waves: Array<Array<number>> = []
  for (const [index, key] of keys.entries()) {
    const text = canonical(key)
    const wave = seen.get(text) ?? 0
    seen.set(text, wave + 1)
    ;(waves[wave] ??= []).push(index)
  }
  const outcomes = Array.from<RowOutcome>({ length: keys.length })
  for (const indexes of waves) {
    const parts = await run(indexes)
    for (const [place, index] of indexes.entries()) outcomes[index] = parts[place]
  }
  return outcomes
}
