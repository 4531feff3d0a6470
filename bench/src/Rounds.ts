/** Benchmarks whose cases run in turns, so that other load on the machine affects all of them alike. */

/** A named piece of work. */
export interface Case {
  readonly name: string
  readonly run: () => Promise<unknown>
}

/** Options of `measure`. */
export interface RoundsOptions {
  /** Measurements of each case. Default 7. */
  readonly rounds?: number
  /** Runs of a case per measurement. Default 1. */
  readonly repeat?: number
  /** Rounds that are not measured, in which code is compiled and caches fill. Default 1. */
  readonly warmUp?: number
}

/** Measures the cases; resolves with the milliseconds of each case in each round, as `times[round][case]`. */
export const measure = async (
  cases: ReadonlyArray<Case>,
  { rounds = 7, repeat = 1, warmUp = 1 }: RoundsOptions = {},
): Promise<ReadonlyArray<ReadonlyArray<number>>> => {
  const times: Array<Array<number>> = []
  for (let round = -warmUp; round < rounds; round++) {
    const taken: Array<number> = []
    for (const { run } of cases) {
      const startedAt = performance.now()
      for (let turn = 0; turn < repeat; turn++) await run()
      taken.push((performance.now() - startedAt) / repeat)
    }
    if (round >= 0) times.push(taken)
  }
  return times
}

/** The median of numbers. */
export const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN

/** Prints the median of each case, and the median of its ratio to the case `base` of the same round. */
export const print = (
  title: string,
  cases: ReadonlyArray<Case>,
  times: ReadonlyArray<ReadonlyArray<number>>,
  base = 0,
): void => {
  console.log(`\n${title}`)
  cases.forEach(({ name }, index) => {
    const milliseconds = median(times.map((round) => round[index]!))
    const ratio = median(times.map((round) => round[index]! / round[base]!))
    console.log(`  ${name.padEnd(64)} ${milliseconds.toFixed(2).padStart(9)} ms  ${ratio.toFixed(2).padStart(7)} ×`)
  })
}
