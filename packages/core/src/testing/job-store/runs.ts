/** Runs random commands of several workers on a store, and compares it with the model after every command. */
import * as fc from "fast-check"
import { command } from "./Command.ts"
import { type Backend, clear } from "./Fixture.ts"
import { History } from "./History.ts"

/** Options of random commands. */
export interface RunOptions {
  /** Number of runs. Default 300. */
  readonly runs?: number | undefined
  /** The seed of a run that failed, to repeat it. Default: random. */
  readonly seed?: number | undefined
  /** Whether a failing run is shrunk before it is reported, which takes many more commands. Default true. */
  readonly shrinks?: boolean | undefined
}

/** All outcomes of calls. Many runs reach every one of them. */
export const outcomes: ReadonlyArray<string> = [
  ...["accepted", "exists", "full", "tenant-full"].map((acceptance) => `submit ${acceptance}`),
  ...["true", "false"].flatMap((done) => [`start ${done}`, `checkpoint ${done}`, `postpone ${done}`, `cancel ${done}`]),
  ...["kept", "refused", "ended"].map((committed) => `commit ${committed}`),
  ...["none", "some"].flatMap((found) => [`overdue ${found}`, `results ${found}`]),
  ...["succeeded", "partial", "failed", "cancelled", "forgotten"].map((state) => `state ${state}`),
]

/**
 * Compares a store with the model.
 *
 * **Details** Rejects with the commands that led to the first difference. Returns how often each outcome occurred.
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
      for (const [each, usesOther] of commands) await history.run(each, usesOther ? other : store)
    },
  )
  await fc.assert(property, { numRuns: runs, endOnFailure: !shrinks, ...(seed !== undefined && { seed }) })
  await clear(store)
  return counts
}
