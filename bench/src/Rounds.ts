/** Cases that are measured in turns, so that whatever else the machine does weighs on all of them alike. */

export interface Case {
  readonly name: string
  readonly run: () => Promise<unknown>
}

export interface RoundsOptions {
  /** How often every case is measured. Default 7. */
  readonly rounds?: number
  /** How often a case is run per measurement. Default 1. */
  readonly repeat?: number
  /** Rounds before the first that counts, for the code to be compiled and caches to fill. Default 1. */
  readonly warmUp?: number
}

/** Milliseconds that each case took, in every round: `times[round][case]`. Rounds that warm up are left out. */
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

/** The middle one of some numbers. */
export const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN

/** Prints each case's median, and its ratio to the case at `base`, taken inside each round. */
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
