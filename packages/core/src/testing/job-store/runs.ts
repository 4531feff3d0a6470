/** Random commands of several workers to a store, compared with the model, command by command. */
import * as fc from "fast-check"
import { command } from "./Command.ts"
import { type Backend, clear } from "./Fixture.ts"
import { History } from "./History.ts"

/** How random commands are carried out. */
export interface RunOptions {
  /** Histories. Default 300. */
  readonly runs?: number | undefined
  /** Repeats the run that a failure named. Default: another run each time. */
  readonly seed?: number | undefined
  /** Whether a failure is made smaller before it is reported, which takes many more commands. Default true. */
  readonly shrinks?: boolean | undefined
}

/** What may become of calls: a run of many commands comes across all of it. */
export const outcomes: ReadonlyArray<string> = [
  ...["accepted", "exists", "full", "tenant-full"].map((admitted) => `make ${admitted}`),
  ...["true", "false"].flatMap((done) => [`start ${done}`, `keep ${done}`, `postpone ${done}`, `cancel ${done}`]),
  ...["kept", "refused", "ended"].map((committed) => `commit ${committed}`),
  ...["none", "some"].flatMap((found) => [`overdue ${found}`, `read ${found}`]),
  ...["succeeded", "partial", "failed", "cancelled", "forgotten"].map((state) => `seen ${state}`),
]

/**
 * Compares a store with the model, command by command.
 *
 * **Details** Rejects with the commands that led to the first difference. Answers how often each outcome came about.
 */
export const check = async (
  { store, other = store }: Pick<Backend, "store" | "other">,
  { runs = 300, seed, shrinks = true }: RunOptions = {},
): Promise<ReadonlyMap<string, number>> => {
  const counts = new Map<string, number>()
  const property = fc.asyncProperty(
    fc.array(fc.tuple(command, fc.boolean()), { minLength: 50, maxLength: 50 }),
    async (commands) => {
      await clear(store)
      const history = new History(counts)
      for (const [given, isOther] of commands) await history.carryOut(given, isOther ? other : store)
    },
  )
  await fc.assert(property, { numRuns: runs, endOnFailure: !shrinks, ...(seed !== undefined && { seed }) })
  await clear(store)
  return counts
}
