/**
 * What became of the rows, grouped so that a person can read it.
 */

/** A refused row: its number from 1, and why. */
export interface Refusal {
  readonly row: number
  readonly code: string
  readonly field: string
  readonly message: string
}

/** What an import says of itself. */
export interface Report {
  readonly sent: number
  readonly created: number
  readonly refusals: ReadonlyArray<Refusal>
  readonly seconds: number
}

/** How many rows were refused for each code and field, `VALIDATION_ERROR email` for one. */
export const tally = (
  refusals: Iterable<{ readonly code: string; readonly field: string }>,
): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const { code, field } of refusals) {
    const reason = `${code} ${field}`.trim()
    counts.set(reason, (counts.get(reason) ?? 0) + 1)
  }
  return counts
}

/** The report in lines of text: what went in, how fast, and for each reason how many were refused, with an example. */
export const linesOf = ({ sent, created, refusals, seconds }: Report): ReadonlyArray<string> => [
  `${count(created)} of ${count(sent)} rows went in, ${count(refusals.length)} were refused`,
  ...[...tally(refusals)].map(([reason, times]) => {
    const example = refusals.find(({ code, field }) => `${code} ${field}`.trim() === reason)
    return `  ${count(times)} × ${reason}: "${example?.message}", as in row ${count(example?.row ?? 0)}`
  }),
  `${seconds.toFixed(2)} s, ${count(Math.round(sent / seconds))} rows a second`,
]

/** A number with its thousands set apart. */
export const count = (number: number): string => number.toLocaleString("en")
