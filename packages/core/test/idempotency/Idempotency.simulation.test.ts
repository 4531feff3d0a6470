import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as fc from "fast-check"
import { TestClock } from "effect/testing"
import { failure, internalFailure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import type { CallContext } from "../../src/batch/Dispatcher.ts"
import { atomic } from "../support/atomic.ts"
import { keyed, type Manner, World } from "../support/idempotency.ts"
import { type CommitManner, ScriptedDatabase, type ScriptedTransaction } from "../support/ScriptedDatabase.ts"

const seed = 20_260_329
const leaseMs = 3000

/** What a handler does with one operation: how long it takes, and how it ends the first time. */
interface Behaviour {
  readonly key: number | undefined
  readonly ms: number
  readonly end: "done" | "done" | "declined" | "crashed first" | "crashed after"
  readonly group: boolean
}

const behaviour: fc.Arbitrary<Behaviour> = fc.record({
  key: fc.option(fc.nat({ max: 5 }), { nil: undefined, freq: 4 }),
  ms: fc.constantFrom(0, 0, 10, 60, 400, 2500),
  end: fc.constantFrom("done", "done", "declined", "crashed first", "crashed after"),
  group: fc.boolean(),
})

const manners = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant<Manner>("good") },
    { weight: 4, arbitrary: fc.constantFrom<Manner>("before", "lost", "dead", "hang", "slow", "refused", "vanish") },
  ),
  { maxLength: 8 },
)

const attempt = fc.record({
  /** Milliseconds until the next attempt begins, whether this one has been answered or not. */
  wait: fc.constantFrom(0, 30, 500, 2000, 4000, 20_000),
  deadlineMs: fc.constantFrom(1000, 30_000),
  /** Milliseconds until its client is gone. */
  gone: fc.constantFrom(undefined, undefined, undefined, 20, 300),
  /** Whether its operations come in the opposite order. */
  reversed: fc.boolean(),
})

const story = fc.record({
  operations: fc.array(behaviour, { minLength: 1, maxLength: 7 }),
  attempts: fc.array(attempt, { minLength: 1, maxLength: 4 }),
  acquire: manners,
  settle: manners,
  concurrency: fc.constantFrom(1, 2, 10),
  coalesce: fc.boolean(),
  hasBatchKey: fc.boolean(),
  mode: fc.constantFrom<"retry" | "hold">("retry", "hold"),
  codec: fc.boolean(),
})

type Story = typeof story extends fc.Arbitrary<infer S> ? S : never

const reversing = {
  encode: (text: string) => [...text].toReversed().join(""),
  decode: (text: string) => [...text].toReversed().join(""),
}

/** What happened, by the name under which an operation is retried. */
class Effects {
  /** Values that were made, in order. */
  readonly made = new Map<string, Array<string>>()
  /** Values that clients were told of. */
  readonly told = new Map<string, Set<string>>()
  private next = 0

  make(name: string): string {
    const value = `v${this.next++}`
    const list = this.made.get(name)
    if (list === undefined) this.made.set(name, [value])
    else list.push(value)
    return value
  }

  tell(name: string, value: string): void {
    const set = this.told.get(name) ?? new Set()
    this.told.set(name, set.add(value))
  }
}

/** The name of what one operation stands for: its key, or its place under the key of its batch. */
const nameOf = (behaviour: Behaviour, index: number, hasBatchKey: boolean): string | undefined => {
  if (behaviour.key !== undefined) return `k${behaviour.key}`
  return hasBatchKey ? `#${index}` : undefined
}

const play = (given: Story) =>
  Effect.gen(function* () {
    const { operations: drawn, attempts, concurrency, coalesce, hasBatchKey, mode, codec } = given
    const world = new World({ leaseMs, onAmbiguous: () => mode, codec: codec ? reversing : undefined })
    world.manners.acquire.push(...given.acquire)
    world.manners.settle.push(...given.settle)
    const effects = new Effects()
    const seen = new Map<string, number>()
    // One behaviour per name, or the same key would stand for different things.
    const behaviours = drawn.map((each) => drawn.find(({ key }) => key !== undefined && key === each.key) ?? each)
    const work = async (index: number): Promise<OperationResult> => {
      const { ms, end } = behaviours[index]!
      const name = nameOf(behaviours[index]!, index, hasBatchKey) ?? `?${index}`
      const round = (seen.get(name) ?? 0) + 1
      seen.set(name, round)
      const until = world.nowMs + ms
      while (world.nowMs < until) await new Promise((resolve) => setImmediate(resolve))
      if (end === "declined") return OperationResult.error(failure("NOT_FOUND", "m"))
      if (end === "crashed first" && round === 1) return OperationResult.error(internalFailure())
      const value = effects.make(name)
      return end === "crashed after" && round === 1
        ? OperationResult.error(internalFailure())
        : OperationResult.success(value)
    }
    const make = (reversed: boolean) => {
      const order = behaviours.map((_, index) => index)
      // Another order is another batch, but its operations are the same.
      const indexes = reversed && !hasBatchKey ? order.toReversed() : order
      return keyed(
        ...indexes.map((index) => {
          const { key } = behaviours[index]!
          return {
            input: key === undefined ? index : `k${key}`,
            id: String(index),
            ...(key !== undefined && { k: `k${key}` }),
          }
        }),
      ).map((operation): Operation<unknown> => ({
        ...operation,
        id: operation.idempotencyKey === undefined ? operation.id : undefined,
      }))
    }
    const indexOf = ({ input }: Operation<unknown>): number =>
      typeof input === "number" ? input : behaviours.findIndex(({ key }) => `k${key}` === input)
    const run = (operation: Operation<unknown>) => work(indexOf(operation))
    const runMany = (all: ReadonlyArray<Operation<unknown>>) => Promise.all(all.map(run))
    const batch = (reversed: boolean, deadlineMs: number, gone: AbortSignal) => ({
      operations: make(reversed),
      run,
      ...(coalesce && { runMany }),
      gone,
      key: hasBatchKey ? "batch" : undefined,
      limits: { deadline: deadlineMs },
      options: { concurrency },
    })
    const answer = (operations: ReadonlyArray<Operation<unknown>>) => {
      for (const operation of operations) {
        const name = nameOf(behaviours[indexOf(operation)]!, indexOf(operation), hasBatchKey)
        const { result } = operation
        if (name !== undefined && result?.outcome === "success") effects.tell(name, String(result.value))
      }
    }

    const fibers: Array<Fiber.Fiber<Effect.Success<ReturnType<World["run"]>>>> = []
    for (const { wait, deadlineMs, gone, reversed } of attempts) {
      const controller = new AbortController()
      fibers.push(yield* world.start(batch(reversed, deadlineMs, controller.signal)))
      if (gone !== undefined) {
        yield* world.pass(gone, 10)
        controller.abort()
      }
      yield* world.pass(wait, wait > 1000 ? 100 : 10)
    }
    // Whatever the store does, everything is answered in the end, and every operation once.
    yield* world.pass(60_000, 250)
    for (const fiber of fibers) {
      const { operations, refusal } = yield* Fiber.join(fiber)
      if (refusal !== undefined) {
        // What was refused as a whole has not begun.
        expect(operations.some(({ result }) => result?.outcome === "success" && !result.replayed)).toBe(false)
        continue
      }
      expect(operations.every(({ result }) => result !== undefined)).toBe(true)
      answer(operations)
    }

    // Nothing is taken any more, whatever came before.
    const states = [...(yield* Effect.promise(() => world.states())).values()]
    expect(states.filter((state) => state === "pending" || state === "held")).toEqual([])

    // From here on everything goes well.
    world.manners.acquire.length = 0
    world.manners.settle.length = 0
    const last: Array<ReadonlyArray<Operation<unknown>>> = []
    for (let round = 0; round < 3; round++) {
      const ran = yield* world.run(batch(false, 30_000, new AbortController().signal))
      expect(ran.refusal).toBeUndefined()
      expect(ran.operations.every(({ result }) => result !== undefined)).toBe(true)
      answer(ran.operations)
      last.push(ran.operations)
      yield* world.pass(4000, 250)
    }
    return { effects, world, behaviours, last }
  })

const faultsOf = ({ acquire, settle, attempts }: Story): number =>
  [...acquire, ...settle].filter((manner) => manner !== "good").length +
  attempts.filter(({ deadlineMs }) => deadlineMs < 30_000).length

const check = (given: Story) =>
  Effect.gen(function* () {
    const { effects, behaviours, last } = yield* play(given)
    const vanished = [...given.acquire, ...given.settle].filter((manner) => manner === "vanish").length
    const faults = faultsOf(given)
    for (const [name, made] of effects.made) {
      if (name.startsWith("?")) continue
      const { end } =
        behaviours[
          name.startsWith("#") ? Number(name.slice(1)) : behaviours.findIndex(({ key }) => `k${key}` === name)
        ]!
      // Who asks for it, by crashing after the deed, is run once more where that is allowed.
      const asked = given.mode === "retry" && end === "crashed after" ? 1 : 0
      const bound = given.mode === "hold" ? 1 + vanished : 1 + asked + faults
      expect([name, made.length <= bound, made.length, bound]).toEqual([name, true, made.length, bound])
      // Nobody is told of something that was never made.
      for (const value of effects.told.get(name) ?? []) expect(made).toContain(value)
      if (faults === 0 && asked === 0) expect((effects.told.get(name) ?? new Set()).size).toBeLessThanOrEqual(1)
    }
    // Two retries in a row are told the same, in the order of the request.
    const shape = (operations: ReadonlyArray<Operation<unknown>>) =>
      operations.map(({ index, idempotencyKey, result }) =>
        idempotencyKey === undefined && !given.hasBatchKey ? index : [index, result?.value, result?.failure?.code],
      )
    expect(shape(last[2]!)).toEqual(shape(last[1]!))
    for (const operation of last[2]!) {
      if (operation.idempotencyKey === undefined && !given.hasBatchKey) continue
      const code = operation.result?.failure?.code
      expect(operation.result?.replayed === true || (given.mode === "hold" && code === "OUTCOME_UNKNOWN")).toBe(true)
    }
  })

const alone = (effect: Effect.Effect<void>) => Effect.runPromise(Effect.provide(effect, TestClock.layer()))

describe("whatever the store does", () => {
  it(
    "operations happen once, or once more for a fault, and are told as they happened",
    { timeout: 120_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(story, (given) => alone(check(given))),
        { seed, numRuns: 250 },
      )
    },
  )

  it(
    "operations happen once where it does nothing wrong, whoever goes away and however many come",
    { timeout: 120_000 },
    async () => {
      const calm = story.map((given): Story => ({ ...given, acquire: [], settle: [] }))
      await fc.assert(
        fc.asyncProperty(calm, (given) => alone(check(given))),
        { seed, numRuns: 150 },
      )
    },
  )
})

const commits = fc.array(
  fc.constantFrom<CommitManner>("good", "good", "transient", "reject", "unknown, done", "unknown, undone"),
  { maxLength: 8 },
)

const inside = fc.record({
  count: fc.integer({ min: 1, max: 8 }),
  keyed: fc.boolean(),
  hasBatchKey: fc.boolean(),
  connections: fc.constantFrom(1, 2, 10),
  sameTransaction: fc.constantFrom(1, 3, 25),
  isAtomic: fc.boolean(),
  commits,
  settleIn: manners,
  settle: manners,
  failing: fc.nat({ max: 12 }),
  attempts: fc.integer({ min: 1, max: 3 }),
})

describe("whatever the database does", () => {
  it("operations that settle in their transactions happen exactly once", { timeout: 120_000 }, async () => {
    const scenario = (given: typeof inside extends fc.Arbitrary<infer A> ? A : never) =>
      Effect.gen(function* () {
        const database = new ScriptedDatabase(given.connections)
        const world = new World({ leaseMs, sameTransaction: given.sameTransaction }, database)
        // Records do not vanish from a database alone, and it does not refuse what is its owner's.
        const likely = (manner: Manner) => manner !== "vanish" && manner !== "refused"
        world.manners.settle.push(...given.settle.filter(likely))
        world.manners.settleIn.push(
          ...given.settleIn.filter((manner) => likely(manner) && manner !== "dead" && manner !== "hang"),
        )
        database.manners.push(...given.commits)
        let isMended = false
        const run = async ({ input }: Operation<unknown>, { tx }: CallContext) => {
          if (!isMended && input === given.failing) return OperationResult.error(failure("X", "m", { status: 500 }))
          ;(tx as ScriptedTransaction).rows.push(input)
          return OperationResult.success(input)
        }
        const batch = () => ({
          operations: keyed(
            ...Array.from({ length: given.count }, (_, index) => ({
              input: index,
              ...(given.keyed && { k: `k${index}` }),
            })),
          ),
          run,
          key: given.hasBatchKey || !given.keyed ? "batch" : undefined,
          options: { unitOfWork: database.unitOfWork, concurrency: 3 },
          ...(given.isAtomic && { strategy: atomic }),
        })
        for (let attempt = 0; attempt < given.attempts; attempt++) {
          const { operations, refusal } = yield* world.run(batch())
          if (refusal === undefined) expect(operations.every(({ result }) => result !== undefined)).toBe(true)
          for (const { result, input } of operations) {
            if (result?.outcome === "success") expect(database.rows).toContain(input)
          }
          yield* world.pass(20_000, 500)
        }
        isMended = true
        world.manners.settle.length = 0
        world.manners.settleIn.length = 0
        database.manners.length = 0
        for (let round = 0; round < 2; round++) {
          const { operations, refusal } = yield* world.run(batch())
          expect(refusal).toBeUndefined()
          expect(operations.map(({ result }) => result?.value)).toEqual(operations.map(({ input }) => input))
          yield* world.pass(20_000, 500)
        }
        expect([...database.rows].sort()).toEqual(Array.from({ length: given.count }, (_, index) => index))
      })
    await fc.assert(
      fc.asyncProperty(inside, (given) => alone(scenario(given))),
      { seed, numRuns: 250 },
    )
  })
})
