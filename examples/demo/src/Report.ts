/**
 * The report of an import, and its text.
 */

/** A refused row: its number, from 1, and the error. */
export interface Refusal {
  readonly row: number
  readonly code: string
  readonly field: string
  readonly message: string
}

/** The counts and refusals of an import. */
export interface Report {
  readonly sent: number
  readonly created: number
  readonly refusals: ReadonlyArray<Refusal>
  readonly seconds: number
}

/** Counts refused rows by code and field, such as `VALIDATION_ERROR email`. */
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

/** The report as lines of text: rows created, refusals by reason with an example of each, and the rate. */
export const linesOf = ({ sent, created, refusals, seconds }: Report): ReadonlyArray<string> => [
  `${count(created)} of ${count(sent)} rows created, ${count(refusals.length)} refused`,
  ...[...tally(refusals)].map(([reason, times]) => {
    const example = refusals.find(({ code, field }) => `${code} ${field}`.trim() === reason)
    return `  ${count(times)} × ${reason}: "${example?.message}", as in row ${count(example?.row ?? 0)}`
  }),
  `${seconds.toFixed(2)} s, ${count(Math.round(sent / seconds))} rows a second`,
]

/** A number with separators between thousands. */
export const count = (number: number): string => number.toLocaleString("en")
