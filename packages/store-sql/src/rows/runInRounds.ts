import type { RowOutcome } from "./RowDialect.ts"
import { canonical } from "./rowOrder.ts"

/**
 * Runs operations on the same key one after another and all others together. Each round has distinct keys: the first
 * operation of every key, then the second of every key that has one, and so on.
 *
 * @internal
 */
export const runInRounds = async (
  keys: ReadonlyArray<unknown>,
  run: (indexes: ReadonlyArray<number>) => Promise<ReadonlyArray<RowOutcome>>,
): Promise<ReadonlyArray<RowOutcome>> => {
  const occurrences = new Map<string, number>()
  const rounds: Array<Array<number>> = []
  for (const [index, key] of keys.entries()) {
    const text = canonical(key)
    const round = occurrences.get(text) ?? 0
    occurrences.set(text, round + 1)
    ;(rounds[round] ??= []).push(index)
  }
  const outcomes = Array.from<RowOutcome>({ length: keys.length })
  for (const indexes of rounds) {
    const roundOutcomes = await run(indexes)
    for (const [position, index] of indexes.entries()) outcomes[index] = roundOutcomes[position]
  }
  return outcomes
}
