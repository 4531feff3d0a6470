/** Random commands, and the calls to a store that they turn into. */
import * as fc from "fast-check"
import type { IdempotencyStore, SettleAction } from "../../idempotency/IdempotencyStore.ts"
import {
  type Backend,
  newHashes,
  leaseMs,
  newOwnerId,
  pendingTtlMs,
  resultTtlMs,
  start,
  times,
  comparable,
} from "./Fixture.ts"
import { Model } from "./Model.ts"

type Mode = "retry" | "hold"

type CommandAction =
  | { readonly _tag: "complete"; readonly text: string }
  | { readonly _tag: "append"; readonly text: string; readonly where: "end" | "again" | "wrong" }
  | { readonly _tag: "extend" }
  | { readonly _tag: "release" }

/** One command. Keys, owners and fingerprints are indexes into those of the run. */
export type Command =
  | {
      readonly _tag: "acquire"
      readonly owner: number
      readonly client: number
      readonly items: ReadonlyArray<{ readonly key: number; readonly fingerprint: number; readonly mode: Mode }>
    }
  | {
      readonly _tag: "settle"
      readonly owner: number
      readonly client: number
      readonly items: ReadonlyArray<{
        readonly key: number
        readonly fingerprint: number
        readonly action: CommandAction
      }>
    }
  | { readonly _tag: "again" }
  | { readonly _tag: "tick"; readonly ms: number }
  | { readonly _tag: "resolve"; readonly key: number; readonly text: string | undefined; readonly aimed: boolean }
  | { readonly _tag: "purge"; readonly limit: number }
  | { readonly _tag: "evict"; readonly key: number }

const keys = fc.nat({ max: 2 })
const owners = fc.nat({ max: 2 })
const clients = fc.nat({ max: 1 })
// A claim with another fingerprint only ever gets `mismatch`, so there are few of them.
const fingerprints = fc.oneof({ weight: 12, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) })
const modes = fc.constantFrom<Mode>("retry", "hold")
const texts = fc.constantFrom("a", "bc", "é€", "𝄞", "", "x".repeat(40))

const action: fc.Arbitrary<CommandAction> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ _tag: fc.constant("complete" as const), text: texts }) },
  {
    weight: 4,
    arbitrary: fc.record({
      _tag: fc.constant("append" as const),
      text: texts,
      where: fc.constantFrom("end" as const, "end" as const, "again" as const, "wrong" as const),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ _tag: "extend" as const }) },
  { weight: 3, arbitrary: fc.constant({ _tag: "release" as const }) },
)

// Mistakes are found at the ends of leases and at expiry: evenly distributed times would miss them.
const ticks = [leaseMs, pendingTtlMs, resultTtlMs].flatMap((ms) => [ms - 1, ms, ms + 1])

/** A command that calls a store. */
type StoreCommand = Exclude<Command, { readonly _tag: "tick" } | { readonly _tag: "again" }>

export const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      _tag: fc.constant("acquire" as const),
      owner: owners,
      client: clients,
      items: fc.uniqueArray(fc.record({ key: keys, fingerprint: fingerprints, mode: modes }), {
        minLength: 1,
        selector: (item) => item.key,
      }),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      _tag: fc.constant("settle" as const),
      owner: owners,
      client: clients,
      items: fc.uniqueArray(fc.record({ key: keys, fingerprint: fingerprints, action }), {
        minLength: 1,
        selector: (item) => item.key,
      }),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ _tag: "again" as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      _tag: fc.constant("tick" as const),
      ms: fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(leaseMs - 1, leaseMs, leaseMs + 1) },
        { weight: 5, arbitrary: fc.constantFrom(1, ...ticks) },
        { weight: 1, arbitrary: fc.nat({ max: pendingTtlMs }) },
      ),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      _tag: fc.constant("resolve" as const),
      key: keys,
      text: fc.oneof(fc.constant(undefined), texts),
      aimed: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("purge" as const), limit: fc.nat({ max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("evict" as const), key: keys }) },
)

/** The call that a command turned into, and the answer of the model. */
export interface Call {
  readonly describe: string
  readonly now: number
  readonly make: (store: IdempotencyStore, backend: Backend) => Promise<unknown>
  readonly expected: unknown
  /** Index of the client that makes the call. */
  readonly client: number
  /** Keys whose records are compared after the call. */
  readonly touched: ReadonlyArray<string>
  /** The answers in words, for counting the outcomes of a run. */
  readonly outcomes: ReadonlyArray<string>
}

/** Turns commands into calls, one after another, with its own keys and owners. */
export class Script {
  readonly model = new Model()
  readonly keys = newHashes(3)
  private readonly fingerprints = newHashes(2)
  private readonly owners = [newOwnerId(), newOwnerId(), newOwnerId()]
  private readonly evicts: boolean
  private last: StoreCommand | undefined
  now = start

  constructor(evicts: boolean) {
    this.evicts = evicts
  }

  next(command: Command): Call | undefined {
    if (command._tag === "tick") {
      this.now += command.ms
      return undefined
    }
    const repeated: StoreCommand | undefined = command._tag === "again" ? this.last : command
    if (repeated === undefined || (repeated._tag === "evict" && !this.evicts)) return undefined
    if (repeated._tag === "acquire" || repeated._tag === "settle") this.last = repeated
    return this.call(repeated)
  }

  private call(command: StoreCommand): Call {
    const { model, now } = this
    const about = { now, describe: JSON.stringify(command), client: "client" in command ? command.client : 0 }
    switch (command._tag) {
      case "acquire": {
        const callTimes = times(this.owners[command.owner]!, now)
        const items = command.items.map(({ key, fingerprint, mode }) => ({ ...this.namesOf(key, fingerprint), mode }))
        const expected = items.map((item) => model.acquire(item, callTimes, now))
        const outcomes = expected.map(({ _tag }) => _tag)
        const touched = items.map(({ key }) => key)
        return { ...about, make: (store) => store.acquire(items, callTimes), expected, touched, outcomes }
      }
      case "settle": {
        const callTimes = times(this.owners[command.owner]!, now)
        const items = command.items.map(({ key, fingerprint, action: wanted }) => {
          const names = this.namesOf(key, fingerprint)
          return { ...names, action: this.actionOf(wanted, names.key) }
        })
        const expected = items.map((item) => model.settle(item, callTimes, now))
        const outcomes = expected.map((settled, index) => `${items[index]!.action._tag} ${settled}`)
        const touched = items.map(({ key }) => key)
        return { ...about, make: (store) => store.settle(items, callTimes), expected, touched, outcomes }
      }
      case "resolve": {
        // A random key is hardly ever indeterminate.
        const key = (command.aimed ? this.indeterminate() : undefined) ?? this.keys[command.key]!
        const decision = command.text === undefined ? "forget" : { result: command.text, resultTtlMs }
        const expected = model.resolve(key, decision, now)
        const outcomes = [`${command.text === undefined ? "forget" : "decide"} ${expected}`]
        return { ...about, make: (store) => store.resolve(key, decision, now), expected, touched: [key], outcomes }
      }
      case "purge": {
        // The number of removed records depends on how many expired ones the store has removed already.
        const make = async (store: IdempotencyStore) => (await store.purge(command.limit, now)) <= command.limit
        return { ...about, make, expected: true, touched: this.keys, outcomes: ["purge"] }
      }
      case "evict": {
        const key = this.keys[command.key]!
        model.evict(key)
        const make = async (_: IdempotencyStore, backend: Backend) => void (await backend.evict?.(key))
        return { ...about, make, expected: undefined, touched: [key], outcomes: ["evict"] }
      }
    }
  }

  /** Returns the record that the model has under a key. */
  recordOf(key: string) {
    const record = this.model.find(key, this.now)
    if (record === undefined) return undefined
    const { state, fence, leaseUntil } = record
    return comparable({ state, fence, leaseLeftMs: leaseUntil - this.now })
  }

  private indeterminate(): string | undefined {
    return this.keys.find((key) => {
      const record = this.model.find(key, this.now)
      return record?.state === "held" && record.leaseUntil <= this.now
    })
  }

  private namesOf(key: number, fingerprint: number) {
    return { key: this.keys[key]!, fingerprint: this.fingerprints[fingerprint]! }
  }

  private actionOf(wanted: CommandAction, key: string): SettleAction {
    if (wanted._tag === "complete") return { _tag: "complete", result: wanted.text }
    if (wanted._tag !== "append") return wanted
    const { text: chunk, where } = wanted
    const { length } = this.model.find(key, this.now)?.text ?? ""
    const at = where === "end" ? length : where === "again" ? Math.max(0, length - chunk.length) : length + 1
    return { _tag: "append", at, chunk }
  }
}
