/** Random commands to a store, and what they become when they are carried out. */
import * as fc from "fast-check"
import type { IdempotencyStore, SettleAction } from "../../idempotency/IdempotencyStore.ts"
import {
  type Backend,
  hashes,
  leaseMs,
  makeOwner,
  pendingTtlMs,
  resultTtlMs,
  start,
  times,
  visible,
} from "./Fixture.ts"
import { Model } from "./Model.ts"

type Mode = "retry" | "hold"

type Act =
  | { readonly _tag: "complete"; readonly text: string }
  | { readonly _tag: "append"; readonly text: string; readonly where: "end" | "again" | "wrong" }
  | { readonly _tag: "extend" }
  | { readonly _tag: "release" }

/** Keys, owners and fingerprints are numbers of those that a run draws for itself. */
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
      readonly items: ReadonlyArray<{ readonly key: number; readonly fingerprint: number; readonly act: Act }>
    }
  | { readonly _tag: "again" }
  | { readonly _tag: "tick"; readonly ms: number }
  | { readonly _tag: "resolve"; readonly key: number; readonly text: string | undefined; readonly aimed: boolean }
  | { readonly _tag: "purge"; readonly limit: number }
  | { readonly _tag: "evict"; readonly key: number }

const keys = fc.nat({ max: 2 })
const owners = fc.nat({ max: 2 })
const clients = fc.nat({ max: 1 })
// Another use of a key ends all that can happen to it, so there are few.
const fingerprints = fc.oneof({ weight: 12, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) })
const modes = fc.constantFrom<Mode>("retry", "hold")
const texts = fc.constantFrom("a", "bc", "é€", "𝄞", "", "x".repeat(40))

const act: fc.Arbitrary<Act> = fc.oneof(
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

// Mistakes sit at the ends of leases and lifetimes: times drawn evenly would miss them.
const ticks = [leaseMs, pendingTtlMs, resultTtlMs].flatMap((ms) => [ms - 1, ms, ms + 1])

/** A command that calls a store. */
type Calling = Exclude<Command, { readonly _tag: "tick" } | { readonly _tag: "again" }>

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
      items: fc.uniqueArray(fc.record({ key: keys, fingerprint: fingerprints, act }), {
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

/** A call that a command became, and what the model answers to it. */
export interface Call {
  readonly describe: string
  readonly now: number
  readonly make: (store: IdempotencyStore, backend: Backend) => Promise<unknown>
  readonly expected: unknown
  /** Which client calls. */
  readonly client: number
  /** Keys that are to be looked at afterwards, whose records are compared too. */
  readonly touched: ReadonlyArray<string>
  /** What was answered, in words: for counting what a run came across. */
  readonly outcomes: ReadonlyArray<string>
}

/** Turns commands into calls, one after another, with keys and owners of its own. */
export class Script {
  readonly model = new Model()
  readonly keys = hashes(3)
  private readonly fingerprints = hashes(2)
  private readonly owners = [makeOwner(), makeOwner(), makeOwner()]
  private readonly evicts: boolean
  private last: Calling | undefined
  now = start

  constructor(evicts: boolean) {
    this.evicts = evicts
  }

  next(given: Command): Call | undefined {
    if (given._tag === "tick") {
      this.now += given.ms
      return undefined
    }
    const calling: Calling | undefined = given._tag === "again" ? this.last : given
    if (calling === undefined || (calling._tag === "evict" && !this.evicts)) return undefined
    if (calling._tag === "acquire" || calling._tag === "settle") this.last = calling
    return this.call(calling)
  }

  private call(given: Calling): Call {
    const { model, now } = this
    const about = { now, describe: JSON.stringify(given), client: "client" in given ? given.client : 0 }
    switch (given._tag) {
      case "acquire": {
        const t = times(this.owners[given.owner]!, now)
        const items = given.items.map(({ key, fingerprint, mode }) => ({ ...this.names(key, fingerprint), mode }))
        const expected = items.map((item) => model.acquire(item, t, now))
        const outcomes = expected.map(({ _tag }) => _tag)
        const touched = items.map(({ key }) => key)
        return { ...about, make: (store) => store.acquire(items, t), expected, touched, outcomes }
      }
      case "settle": {
        const t = times(this.owners[given.owner]!, now)
        const items = given.items.map(({ key, fingerprint, act: wanted }) => {
          const names = this.names(key, fingerprint)
          return { ...names, action: this.action(wanted, names.key) }
        })
        const expected = items.map((item) => model.settle(item, t, now))
        const outcomes = expected.map((settled, index) => `${items[index]!.action._tag} ${settled}`)
        const touched = items.map(({ key }) => key)
        return { ...about, make: (store) => store.settle(items, t), expected, touched, outcomes }
      }
      case "resolve": {
        // By chance alone there would hardly ever be something to decide.
        const key = (given.aimed ? this.indeterminate() : undefined) ?? this.keys[given.key]!
        const decision = given.text === undefined ? "forget" : { result: given.text, resultTtlMs }
        const expected = model.resolve(key, decision, now)
        const outcomes = [`${given.text === undefined ? "forget" : "decide"} ${expected}`]
        return { ...about, make: (store) => store.resolve(key, decision, now), expected, touched: [key], outcomes }
      }
      case "purge": {
        // How many there are left to remove depends on what the store forgot by the way.
        const make = async (store: IdempotencyStore) => (await store.purge(given.limit, now)) <= given.limit
        return { ...about, make, expected: true, touched: this.keys, outcomes: ["purge"] }
      }
      case "evict": {
        const key = this.keys[given.key]!
        model.evict(key)
        const make = async (_: IdempotencyStore, backend: Backend) => void (await backend.evict?.(key))
        return { ...about, make, expected: undefined, touched: [key], outcomes: ["evict"] }
      }
    }
  }

  /** What is to be seen of a key now. */
  seen(key: string) {
    const known = this.model.see(key, this.now)
    if (known === undefined) return undefined
    return visible({ state: known.is, fence: known.fence, leaseLeftMs: known.lease - this.now })
  }

  private indeterminate(): string | undefined {
    return this.keys.find((key) => {
      const known = this.model.see(key, this.now)
      return known?.is === "held" && known.lease <= this.now
    })
  }

  private names(key: number, fingerprint: number) {
    return { key: this.keys[key]!, fingerprint: this.fingerprints[fingerprint]! }
  }

  private action(wanted: Act, key: string): SettleAction {
    if (wanted._tag === "complete") return { _tag: "complete", result: wanted.text }
    if (wanted._tag !== "append") return wanted
    const { text: chunk, where } = wanted
    const { length } = this.model.see(key, this.now)?.text ?? ""
    const at = where === "end" ? length : where === "again" ? Math.max(0, length - chunk.length) : length + 1
    return { _tag: "append", at, chunk }
  }
}
