/** Runs random commands on stores, and compares the answers with the model and with each other. */
import * as fc from "fast-check"
import { expect } from "vitest"
import type { IdempotencyStore } from "../../idempotency/IdempotencyStore.ts"
import { type Command, command, Script } from "./Command.ts"
import { type Backend, purgeAll, comparable } from "./Fixture.ts"

/** Options of a run of random commands. */
export interface RunOptions {
  /** Approximate number of commands. Default 20,000. */
  readonly commands?: number | undefined
  /** Seed of the run, as a failure names it. Default: random. */
  readonly seed?: number | undefined
  /** Whether a failure is shrunk before it is reported, which takes many more commands. Default true. */
  readonly shrinks?: boolean | undefined
}

const runLength = 60

/** Every possible outcome of a call. A run of many commands has all of them. */
export const outcomes: ReadonlyArray<string> = [
  "fresh",
  "taken-over",
  "mine",
  "replay",
  "in-progress",
  "mismatch",
  "indeterminate",
  ...["applied", "already", "recreated", "refused"].map((settled) => `complete ${settled}`),
  ...["applied", "already", "refused"].map((settled) => `append ${settled}`),
  ...["applied", "refused"].map((settled) => `extend ${settled}`),
  ...["applied", "already", "refused"].map((settled) => `release ${settled}`),
  "decide true",
  "decide false",
  "forget true",
  "forget false",
  "purge",
]

/**
 * Compares a store with the model, command by command.
 *
 * **Details** Rejects with the commands that led to the first difference. Returns how often each outcome occurred.
 */
export const check = (backend: Backend, options: RunOptions = {}): Promise<ReadonlyMap<string, number>> =>
  run([backend], options)

/** Compares two stores with each other, and both with the model, command by command. */
export const compare = (
  first: Backend,
  second: Backend,
  options: RunOptions = {},
): Promise<ReadonlyMap<string, number>> => run([first, second], options)

const run = async (
  backends: ReadonlyArray<Backend>,
  { commands = 20_000, seed, shrinks = true }: RunOptions,
): Promise<ReadonlyMap<string, number>> => {
  for (const { store } of backends) await purgeAll(store)
  const evicts = backends.every(({ evict }) => evict !== undefined)
  const counts = new Map<string, number>()
  const property = fc.asyncProperty(
    fc.array(fc.option(command, { nil: undefined, freq: 1_000 }), { minLength: runLength, maxLength: runLength }),
    (commands) => runCommands(backends, new Script(evicts), commands, counts),
  )
  const numRuns = Math.ceil(commands / runLength)
  await fc.assert(property, { numRuns, endOnFailure: !shrinks, ...(seed !== undefined && { seed }) })
  return counts
}

const runCommands = async (
  backends: ReadonlyArray<Backend>,
  script: Script,
  commands: ReadonlyArray<Command | undefined>,
  counts: Map<string, number>,
): Promise<void> => {
  const history: Array<string> = []
  for (const command of commands) {
    const call = command === undefined ? undefined : script.next(command)
    if (call === undefined) continue
    history.push(`${call.now} ${call.describe} → ${JSON.stringify(call.expected)}`)
    const answers = await Promise.all(
      backends.map(async (backend) => {
        const client = clientOf(backend, call.client)
        const answer = await call.make(client, backend)
        const seen = await Promise.all(call.touched.map((key) => client.peek(key, call.now)))
        return [answer, seen.map(comparable)]
      }),
    )
    const expected = [call.expected, call.touched.map((key) => script.recordOf(key))]
    for (const answer of answers) expectEqual(answer, expected, history)
    for (const outcome of call.outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  }
}

const expectEqual = (answer: unknown, expected: unknown, history: ReadonlyArray<string>): void => {
  try {
    expect(answer).toEqual(expected)
  } catch (error) {
    throw new Error(`A store answers differently, after\n${history.slice(-12).join("\n")}\n${String(error)}`, {
      cause: error,
    })
  }
}

const clientOf = ({ store, other = store }: Backend, client: number): IdempotencyStore => (client === 0 ? store : other)
