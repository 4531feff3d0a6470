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
import { IdempotencyHarness, keyed, type RunResult, type StoreBehaviour } from "../support/IdempotencyHarness.ts"
import { type CommitManner, ScriptedDatabase, type ScriptedTransaction } from "../support/ScriptedDatabase.ts"

const seed = 20_260_329
const leaseMs = 3000

/** An operation, and what its handler does. */
interface SimulatedOperation {
  readonly key: number | undefined
  /** Milliseconds that the handler takes. */
  readonly ms: number
  /** How the handler ends. The two crashes happen in its first run only: before its effect, and after it. */
  readonly end: "succeeds" | "declines" | "crashes before" | "crashes after"
}

const simulatedOperation: fc.Arbitrary<SimulatedOperation> = fc.record({
  key: fc.option(fc.nat({ max: 5 }), { nil: undefined, freq: 4 }),
  ms: fc.constantFrom(0, 0, 10, 60, 400, 2500),
  end: fc.constantFrom("succeeds", "succeeds", "declines", "crashes before", "crashes after"),
})

const storeBehaviours = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant<StoreBehaviour>("works") },
    {
      weight: 4,
      arbitrary: fc.constantFrom<StoreBehaviour>(
        "unreachable",
        "answer lost",
        "no answer",
        "applied, no answer",
        "slow",
        "refuses",
        "loses records",
      ),
    },
  ),
  { maxLength: 8 },
)

const attempt = fc.record({
  /** Milliseconds until the next attempt starts, whether or not this one was answered. */
  wait: fc.constantFrom(0, 30, 500, 2000, 4000, 20_000),
  deadlineMs: fc.constantFrom(1000, 30_000),
  /** Milliseconds until the client disconnects. */
  disconnectMs: fc.constantFrom(undefined, undefined, undefined, 20, 300),
  /** Whether the operations come in the opposite order. */
  reversed: fc.boolean(),
})

const scenario = fc.record({
  operations: fc.array(simulatedOperation, { minLength: 1, maxLength: 7 }),
  attempts: fc.array(attempt, { minLength: 1, maxLength: 4 }),
  acquire: storeBehaviours,
  settle: storeBehaviours,
  concurrency: fc.constantFrom(1, 2, 10),
  coalesce: fc.boolean(),
  hasBatchKey: fc.boolean(),
  mode: fc.constantFrom<"retry" | "hold">("retry", "hold"),
  codec: fc.boolean(),
})

type Scenario = typeof scenario extends fc.Arbitrary<infer S> ? S : never

const reversing = {
  encode: (text: string) => [...text].toReversed().join(""),
  decode: (text: string) => [...text].toReversed().join(""),
}

/** The effects of handlers, by the name of the operation. */
class Effects {
  /** The value of every effect, in order. */
  readonly made = new Map<string, Array<string>>()
  /** Values that clients got as results. */
  readonly answered = new Map<string, Set<string>>()
  private next = 0

  make(name: string): string {
    const value = `v${this.next++}`
    const values = this.made.get(name)
    if (values === undefined) this.made.set(name, [value])
    else values.push(value)
    return value
  }

  answer(name: string, value: string): void {
    const values = this.answered.get(name) ?? new Set()
    this.answered.set(name, values.add(value))
  }
}

/** Names what a retry repeats: the key of the operation, or its index in a batch with a key; undefined without keys. */
const nameOf = ({ key }: SimulatedOperation, index: number, hasBatchKey: boolean): string | undefined => {
  if (key !== undefined) return `k${key}`
  return hasBatchKey ? `#${index}` : undefined
}

const simulate = (given: Scenario) =>
  Effect.gen(function* () {
    const { operations: drawn, attempts, concurrency, coalesce, hasBatchKey, mode, codec } = given
    const harness = new IdempotencyHarness({ leaseMs, onAmbiguous: () => mode, codec: codec ? reversing : undefined })
    harness.next.acquire.push(...given.acquire)
    harness.next.settle.push(...given.settle)
    const effects = new Effects()
    const runs = new Map<string, number>()
    // Operations with the same key are the same operation.
    const simulated = drawn.map((each) => drawn.find(({ key }) => key !== undefined && key === each.key) ?? each)
    const work = async (index: number): Promise<OperationResult> => {
      const { ms, end } = simulated[index]!
      const name = nameOf(simulated[index]!, index, hasBatchKey) ?? `?${index}`
      const run = (runs.get(name) ?? 0) + 1
      runs.set(name, run)
      const until = harness.nowMs + ms
      while (harness.nowMs < until) await new Promise((resolve) => setImmediate(resolve))
      if (end === "declines") return OperationResult.error(failure("NOT_FOUND", "m"))
      if (end === "crashes before" && run === 1) return OperationResult.error(internalFailure())
      const value = effects.make(name)
      return end === "crashes after" && run === 1
        ? OperationResult.error(internalFailure())
        : OperationResult.success(value)
    }
    const make = (reversed: boolean) => {
      const order = simulated.map((_, index) => index)
      // With a key of its own, a batch in another order would be another batch.
      const indexes = reversed && !hasBatchKey ? order.toReversed() : order
      return keyed(
        ...indexes.map((index) => {
          const { key } = simulated[index]!
          return {
            input: key === undefined ? index : `k${key}`,
            id: String(index),
            ...(key !== undefined && { key: `k${key}` }),
          }
        }),
      ).map((operation): Operation<unknown> => ({
        ...operation,
        id: operation.idempotencyKey === undefined ? operation.id : undefined,
      }))
    }
    const indexOf = ({ input }: Operation<unknown>): number =>
      typeof input === "number" ? input : simulated.findIndex(({ key }) => `k${key}` === input)
    const run = (operation: Operation<unknown>) => work(indexOf(operation))
    const runMany = (all: ReadonlyArray<Operation<unknown>>) => Promise.all(all.map(run))
    const batch = (reversed: boolean, deadlineMs: number, signal: AbortSignal) => ({
      operations: make(reversed),
      run,
      ...(coalesce && { runMany }),
      signal,
      key: hasBatchKey ? "batch" : undefined,
      limits: { deadline: deadlineMs },
      options: { concurrency },
    })
    const noteAnswers = (operations: ReadonlyArray<Operation<unknown>>) => {
      for (const operation of operations) {
        const name = nameOf(simulated[indexOf(operation)]!, indexOf(operation), hasBatchKey)
        const { result } = operation
        if (name !== undefined && result?.outcome === "success") effects.answer(name, String(result.value))
      }
    }

    const fibers: Array<Fiber.Fiber<RunResult>> = []
    for (const { wait, deadlineMs, disconnectMs, reversed } of attempts) {
      const controller = new AbortController()
      fibers.push(yield* harness.start(batch(reversed, deadlineMs, controller.signal)))
      if (disconnectMs !== undefined) {
        yield* harness.advance(disconnectMs, 10)
        controller.abort()
      }
      yield* harness.advance(wait, wait > 1000 ? 100 : 10)
    }
    // Whatever the store does, every batch is answered and every operation has a result.
    yield* harness.advance(60_000, 250)
    for (const fiber of fibers) {
      const { operations, refusal } = yield* Fiber.join(fiber)
      if (refusal !== undefined) {
        // A refused batch has not started.
        expect(operations.some(({ result }) => result?.outcome === "success" && !result.replayed)).toBe(false)
        continue
      }
      expect(operations.every(({ result }) => result !== undefined)).toBe(true)
      noteAnswers(operations)
    }

    // Whatever happened, no claim is left with a lease.
    const states = [...(yield* Effect.promise(() => harness.states())).values()]
    expect(states.filter((state) => state === "pending" || state === "held")).toEqual([])

    // From now on the store works.
    harness.next.acquire.length = 0
    harness.next.settle.length = 0
    const last: Array<ReadonlyArray<Operation<unknown>>> = []
    for (let round = 0; round < 3; round++) {
      const ran = yield* harness.run(batch(false, 30_000, new AbortController().signal))
      expect(ran.refusal).toBeUndefined()
      expect(ran.operations.every(({ result }) => result !== undefined)).toBe(true)
      noteAnswers(ran.operations)
      last.push(ran.operations)
      yield* harness.advance(4000, 250)
    }
    return { effects, simulated, last }
  })

const faultsOf = ({ acquire, settle, attempts }: Scenario): number =>
  [...acquire, ...settle].filter((behaviour) => behaviour !== "works").length +
  attempts.filter(({ deadlineMs }) => deadlineMs < 30_000).length

const check = (given: Scenario) =>
  Effect.gen(function* () {
    const { effects, simulated, last } = yield* simulate(given)
    const losses = [...given.acquire, ...given.settle].filter((behaviour) => behaviour === "loses records").length
    const faults = faultsOf(given)
    for (const [name, made] of effects.made) {
      if (name.startsWith("?")) continue
      const { end } =
        simulated[name.startsWith("#") ? Number(name.slice(1)) : simulated.findIndex(({ key }) => `k${key}` === name)]!
      const answered = effects.answered.get(name) ?? new Set()
      // An operation that crashes after its effect runs again in the mode `retry`.
      const repetitions = given.mode === "retry" && end === "crashes after" ? 1 : 0
      const maximum = given.mode === "hold" ? 1 + losses : 1 + repetitions + faults
      expect(made.length, `effects of ${name}`).toBeLessThanOrEqual(maximum)
      for (const value of answered) expect(made).toContain(value)
      if (faults === 0 && repetitions === 0) expect(answered.size).toBeLessThanOrEqual(1)
    }
    // Two retries in a row get the same results, in request order.
    const resultsOf = (operations: ReadonlyArray<Operation<unknown>>) =>
      operations.map(({ index, idempotencyKey, result }) =>
        idempotencyKey === undefined && !given.hasBatchKey ? index : [index, result?.value, result?.failure?.code],
      )
    expect(resultsOf(last[2]!)).toEqual(resultsOf(last[1]!))
    for (const operation of last[2]!) {
      if (operation.idempotencyKey === undefined && !given.hasBatchKey) continue
      const code = operation.result?.failure?.code
      expect(operation.result?.replayed === true || (given.mode === "hold" && code === "OUTCOME_UNKNOWN")).toBe(true)
    }
  })

const withTestClock = (effect: Effect.Effect<void>) => Effect.runPromise(Effect.provide(effect, TestClock.layer()))

describe("whatever the store does, operations", () => {
  it("have their effect once, and at most once more for each fault", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(scenario, (given) => withTestClock(check(given))),
      { seed, numRuns: 250 },
    )
  })

  it(
    "have their effect once if the store works, even with disconnects and concurrent retries",
    { timeout: 120_000 },
    async () => {
      const withoutFaults = scenario.map((given): Scenario => ({ ...given, acquire: [], settle: [] }))
      await fc.assert(
        fc.asyncProperty(withoutFaults, (given) => withTestClock(check(given))),
        { seed, numRuns: 150 },
      )
    },
  )
})

const commits = fc.array(
  fc.constantFrom<CommitManner>("good", "good", "transient", "reject", "unknown, done", "unknown, undone"),
  { maxLength: 8 },
)

const transactionScenario = fc.record({
  count: fc.integer({ min: 1, max: 8 }),
  keyed: fc.boolean(),
  hasBatchKey: fc.boolean(),
  connections: fc.constantFrom(1, 2, 10),
  sameTransaction: fc.constantFrom(1, 3, 25),
  isAtomic: fc.boolean(),
  commits,
  settleIn: storeBehaviours,
  settle: storeBehaviours,
  failing: fc.nat({ max: 12 }),
  attempts: fc.integer({ min: 1, max: 3 }),
})

describe("whatever the database does, operations", () => {
  it("that settle in their transactions have their effect exactly once", { timeout: 120_000 }, async () => {
    const check = (given: typeof transactionScenario extends fc.Arbitrary<infer A> ? A : never) =>
      Effect.gen(function* () {
        const database = new ScriptedDatabase(given.connections)
        const harness = new IdempotencyHarness({ leaseMs, sameTransaction: given.sameTransaction }, database)
        // A database does not lose single records, and does not refuse their owner.
        const isPossible = (behaviour: StoreBehaviour) => behaviour !== "loses records" && behaviour !== "refuses"
        harness.next.settle.push(...given.settle.filter(isPossible))
        harness.next.settleIn.push(
          ...given.settleIn.filter(
            (behaviour) => isPossible(behaviour) && behaviour !== "no answer" && behaviour !== "applied, no answer",
          ),
        )
        database.manners.push(...given.commits)
        let isRepaired = false
        const run = async ({ input }: Operation<unknown>, { tx }: CallContext) => {
          if (!isRepaired && input === given.failing) return OperationResult.error(failure("X", "m", { status: 500 }))
          ;(tx as ScriptedTransaction).rows.push(input)
          return OperationResult.success(input)
        }
        const batch = () => ({
          operations: keyed(
            ...Array.from({ length: given.count }, (_, index) => ({
              input: index,
              ...(given.keyed && { key: `k${index}` }),
            })),
          ),
          run,
          key: given.hasBatchKey || !given.keyed ? "batch" : undefined,
          options: { unitOfWork: database.unitOfWork, concurrency: 3 },
          ...(given.isAtomic && { strategy: atomic }),
        })
        for (let attempt = 0; attempt < given.attempts; attempt++) {
          const { operations, refusal } = yield* harness.run(batch())
          if (refusal === undefined) expect(operations.every(({ result }) => result !== undefined)).toBe(true)
          for (const { result, input } of operations) {
            if (result?.outcome === "success") expect(database.rows).toContain(input)
          }
          yield* harness.advance(20_000, 500)
        }
        isRepaired = true
        harness.next.settle.length = 0
        harness.next.settleIn.length = 0
        database.manners.length = 0
        for (let round = 0; round < 2; round++) {
          const { operations, refusal } = yield* harness.run(batch())
          expect(refusal).toBeUndefined()
          expect(operations.map(({ result }) => result?.value)).toEqual(operations.map(({ input }) => input))
          yield* harness.advance(20_000, 500)
        }
        expect([...database.rows].sort()).toEqual(Array.from({ length: given.count }, (_, index) => index))
      })
    await fc.assert(
      fc.asyncProperty(transactionScenario, (given) => withTestClock(check(given))),
      { seed, numRuns: 250 },
    )
  })
})
