import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { TestClock } from "effect/testing"
import { failure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import type { Strategy } from "../../src/batch/Strategy.ts"
import type { HandlerOutput, CallContext } from "../../src/batch/Dispatcher.ts"
import { endings, type Execution, execute, operations } from "../support/execute.ts"

const good = OperationResult.success("done")
const bad = OperationResult.error(failure("CONFLICT", "m"))

const never = (): Promise<OperationResult> => new Promise(() => {})

const stopAfter = (failures: number): Strategy => ({ _tag: "stop-after", failures })

/** Promises settle in microtasks, which the test clock knows nothing of. */
const settled = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

/** Executes operations beside the test, which goes on once all that begin at once have begun. */
const start = (
  all: ReadonlyArray<Operation<undefined>>,
  run: (operation: Operation<undefined>, call: CallContext) => HandlerOutput<OperationResult>,
  options: Execution,
) => Effect.tap(Effect.forkChild(execute(all, { run }, options)), () => settled)

describe("the deadline of a batch", () => {
  it.effect("ends what runs, begins nothing more, and leaves what has ended alone", () =>
    Effect.gen(function* () {
      const all = operations(6)
      const signals: Array<AbortSignal> = []
      const run = ({ index }: Operation, { signal }: CallContext) => {
        if (index < 2) return good
        signals.push(signal)
        return never()
      }
      const fiber = yield* start(all, run, { concurrency: 2, deadlineMs: 30_000 })
      yield* TestClock.adjust(29_999)
      expect(fiber.pollUnsafe()).toBeUndefined()
      expect(signals.map(({ aborted }) => aborted)).toEqual([false, false])
      yield* TestClock.adjust(1)
      yield* settled
      expect(fiber.pollUnsafe()).toBeDefined()
      expect(endings(all)).toEqual([
        "success",
        "success",
        "error DEADLINE_EXCEEDED",
        "error DEADLINE_EXCEEDED",
        "skipped DEADLINE_EXCEEDED",
        "skipped DEADLINE_EXCEEDED",
      ])
      expect(signals.map(({ aborted, reason }) => [aborted, reason.name])).toEqual([
        [true, "AbortError"],
        [true, "AbortError"],
      ])
    }),
  )

  it.effect("does not hear what is answered afterwards", () =>
    Effect.gen(function* () {
      const all = operations(2)
      const late = Promise.withResolvers<OperationResult>()
      const fiber = yield* start(all, () => late.promise, { deadlineMs: 10 })
      yield* TestClock.adjust(10)
      yield* settled
      late.resolve(good)
      yield* settled
      expect(fiber.pollUnsafe()).toBeDefined()
      expect(endings(all)).toEqual(["error DEADLINE_EXCEEDED", "error DEADLINE_EXCEEDED"])
    }),
  )

  it.effect("interrupts handlers that are effects, and waits for none that will not be", () =>
    Effect.gen(function* () {
      const all = operations(2)
      let interrupted = 0
      const run = ({ index }: Operation) =>
        index === 0
          ? Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
          : Effect.uninterruptible(Effect.never)
      const fiber = yield* start(all, run, { deadlineMs: 10 })
      yield* TestClock.adjust(10)
      yield* settled
      expect(fiber.pollUnsafe()).toBeDefined()
      expect(interrupted).toBe(1)
    }),
  )

  it.effect("is heard by a handler that listens when it is over already", () =>
    Effect.gen(function* () {
      const calls: Array<CallContext> = []
      const run = (_: Operation, call: CallContext) => (calls.push(call), never())
      yield* start(operations(1), run, { deadlineMs: 10 })
      yield* TestClock.adjust(10)
      yield* settled
      let heard = 0
      calls[0]!.onAbort(() => heard++)
      expect(heard).toBe(1)
      expect(calls[0]!.signal.aborted).toBe(true)
    }),
  )

  it.effect("that is over already lets nothing begin", () =>
    Effect.gen(function* () {
      const all = operations(2)
      let ran = 0
      yield* execute(all, { run: () => (ran++, good) }, { deadlineMs: 0 })
      yield* TestClock.withLive(execute(all, { run: () => (ran++, good) }, { deadlineMs: 0 }))
      expect(endings(all)).toEqual(["skipped DEADLINE_EXCEEDED", "skipped DEADLINE_EXCEEDED"])
      expect(ran).toBe(0)
    }),
  )

  it.effect("is no longer waited for when all have ended", () =>
    Effect.gen(function* () {
      const all = operations(3)
      yield* execute(all, { run: () => good }, { deadlineMs: 10 })
      yield* TestClock.adjust(10)
      expect(endings(all)).toEqual(["success", "success", "success"])
    }),
  )
})

describe("the time of one operation", () => {
  it.effect("ends that operation alone, and lets the next begin", () =>
    Effect.gen(function* () {
      const all = operations(4)
      const signals: Array<AbortSignal> = []
      const run = ({ index }: Operation, { signal }: CallContext) => {
        if (index !== 1) return good
        signals.push(signal)
        return never()
      }
      const fiber = yield* start(all, run, { concurrency: 1, operationTimeoutMs: 500 })
      expect(endings(all)).toEqual(["success", undefined, undefined, undefined])
      yield* TestClock.adjust(500)
      yield* settled
      expect(fiber.pollUnsafe()).toBeDefined()
      expect(endings(all)).toEqual(["success", "error TIMEOUT", "success", "success"])
      expect(all[1]!.result?.failure).toMatchObject({ status: 504, retryable: true })
      expect(signals[0]!.reason.name).toBe("TimeoutError")
    }),
  )

  it.effect("is counted from when the operation began", () =>
    Effect.gen(function* () {
      const all = operations(3)
      const fiber = yield* start(all, never, { concurrency: 1, operationTimeoutMs: 500 })
      for (const ended of [1, 2, 3]) {
        yield* TestClock.adjust(499)
        yield* settled
        expect(endings(all).filter((ending) => ending !== undefined)).toHaveLength(ended - 1)
        yield* TestClock.adjust(1)
        yield* settled
        expect(endings(all).filter((ending) => ending === "error TIMEOUT")).toHaveLength(ended)
      }
      expect(fiber.pollUnsafe()).toBeDefined()
    }),
  )

  it.effect("does not concern what was answered in time", () =>
    Effect.gen(function* () {
      const all = operations(20)
      const run = ({ index }: Operation) => (index % 2 === 0 ? Effect.as(Effect.sleep(10 * index), good) : never())
      const fiber = yield* start(all, run, { concurrency: 20, operationTimeoutMs: 500 })
      yield* TestClock.adjust(500)
      yield* settled
      expect(fiber.pollUnsafe()).toBeDefined()
      expect(endings(all)).toEqual(all.map(({ index }) => (index % 2 === 0 ? "success" : "error TIMEOUT")))
    }),
  )

  it.effect("yields to the deadline of the batch", () =>
    Effect.gen(function* () {
      const all = operations(2)
      yield* start(all, never, { operationTimeoutMs: 500, deadlineMs: 400 })
      yield* TestClock.adjust(400)
      yield* settled
      expect(endings(all)).toEqual(["error DEADLINE_EXCEEDED", "error DEADLINE_EXCEEDED"])
    }),
  )
})

describe("a client that goes away", () => {
  it.effect("ends nothing that runs, but nothing more begins", () =>
    Effect.gen(function* () {
      const all = operations(5)
      const gone = new AbortController()
      const answer = Promise.withResolvers<OperationResult>()
      const signals: Array<AbortSignal> = []
      const run = (_: Operation, { signal }: CallContext) => (signals.push(signal), answer.promise)
      const fiber = yield* start(all, run, { concurrency: 2, signal: gone.signal })
      gone.abort()
      yield* settled
      expect(fiber.pollUnsafe()).toBeUndefined()
      answer.resolve(good)
      yield* settled
      expect(fiber.pollUnsafe()).toBeDefined()
      const skipped = "skipped CANCELLED"
      expect(endings(all)).toEqual(["success", "success", skipped, skipped, skipped])
      expect(signals.map(({ aborted }) => aborted)).toEqual([false, false])
    }),
  )

  it.effect("before anything has begun, leaves everything undone", () =>
    Effect.gen(function* () {
      const all = operations(2)
      yield* execute(all, { run: () => good }, { signal: AbortSignal.abort() })
      expect(endings(all)).toEqual(["skipped CANCELLED", "skipped CANCELLED"])
    }),
  )

  it.effect("after all has ended, changes nothing", () =>
    Effect.gen(function* () {
      const all = operations(2)
      const gone = new AbortController()
      yield* execute(all, { run: () => good }, { signal: gone.signal })
      gone.abort()
      expect(endings(all)).toEqual(["success", "success"])
    }),
  )

  it.effect("does not keep what runs from its deadline", () =>
    Effect.gen(function* () {
      const all = operations(2)
      const gone = new AbortController()
      const fiber = yield* start(all, never, { concurrency: 1, signal: gone.signal, deadlineMs: 10 })
      gone.abort()
      yield* TestClock.adjust(10)
      yield* settled
      expect(fiber.pollUnsafe()).toBeDefined()
      expect(endings(all)).toEqual(["error DEADLINE_EXCEEDED", "skipped CANCELLED"])
    }),
  )
})

describe("stopping after n failures", () => {
  it("begins operations in request order, and nothing after the nth failure", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ fails: fc.boolean(), turns: fc.nat(3) }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 6 }),
        async (plans, failures, concurrency) => {
          const all = operations(plans.length)
          const begun: Array<number> = []
          const run = async ({ index }: Operation) => {
            begun.push(index)
            for (let turn = 0; turn < plans[index]!.turns; turn++) await undefined
            return plans[index]!.fails ? bad : good
          }
          await Effect.runPromise(execute(all, { run }, { concurrency, strategy: stopAfter(failures) }))
          expect(begun).toEqual(begun.map((_, at) => at))
          const ends = endings(all)
          expect(ends.filter((end) => end === "error CONFLICT").length).toBeLessThanOrEqual(failures + concurrency - 1)
          all.forEach((_, index) => {
            const wanted = plans[index]!.fails ? "error CONFLICT" : "success"
            expect(ends[index]).toBe(begun.includes(index) ? wanted : "skipped SKIPPED")
          })
          if (plans.filter(({ fails }) => fails).length < failures) expect(begun).toHaveLength(plans.length)
        },
      ),
      { numRuns: 200 },
    )
  })

  it.effect("stops at exactly n where operations run one after another", () =>
    Effect.gen(function* () {
      const all = operations(8)
      const run = ({ index }: Operation) => (index % 2 === 1 ? bad : good)
      yield* execute(all, { run }, { concurrency: 1, strategy: stopAfter(2) })
      const skipped = "skipped SKIPPED"
      const failed = "error CONFLICT"
      expect(endings(all)).toEqual(["success", failed, "success", failed, skipped, skipped, skipped, skipped])
    }),
  )

  it.effect("counts operations that were refused before they could begin", () =>
    Effect.gen(function* () {
      const all = operations(3)
      all[0]!.result = bad
      yield* execute(all, { run: () => good }, { strategy: stopAfter(1) })
      expect(endings(all)).toEqual(["error CONFLICT", "skipped SKIPPED", "skipped SKIPPED"])
    }),
  )

  it.effect("counts defects and timeouts as failures, and what was skipped not", () =>
    Effect.gen(function* () {
      const all = operations(5)
      Object.assign(all[1]!, { dependsOn: [{ operation: all[0], accept: [] }] })
      const run = ({ index }: Operation) => {
        if (index === 0) throw new Error("bug")
        return index === 2 ? never() : good
      }
      yield* start(all, run, { concurrency: 1, operationTimeoutMs: 10, strategy: stopAfter(2) })
      yield* TestClock.adjust(10)
      yield* settled
      const skipped = "skipped SKIPPED"
      expect(endings(all)).toEqual(["error INTERNAL", "skipped FAILED_DEPENDENCY", "error TIMEOUT", skipped, skipped])
    }),
  )

  it.effect("never hands several operations to one call", () =>
    Effect.gen(function* () {
      const all = operations(3)
      let calls = 0
      const runMany = (many: ReadonlyArray<Operation>) => (calls++, many.map(() => good))
      yield* execute(all, { run: () => good, runMany }, { strategy: stopAfter(2) })
      expect(calls).toBe(0)
    }),
  )
})
