import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { TestClock } from "effect/testing"
import { failure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import type { Strategy } from "../../src/batch/Strategy.ts"
import type { CallContext, HandlerOutput } from "../../src/batch/Dispatcher.ts"
import { endings, type Execution, execute, operations } from "../support/execute.ts"

const success = OperationResult.success("done")
const failed = OperationResult.error(failure("CONFLICT", "m"))

const never = (): Promise<OperationResult> => new Promise(() => {})

const stopAfter = (failures: number): Strategy => ({ _tag: "stop-after", failures })

/** Waits for microtasks, which the test clock does not control. */
// Several turns of the event loop: a slow turn makes the scheduler yield before it goes on.
const settled = Effect.promise(async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
})

/** Starts executing operations in a child fiber; continues when all handlers that can start at once were called. */
const start = (
  all: ReadonlyArray<Operation<undefined>>,
  run: (operation: Operation<undefined>, context: CallContext) => HandlerOutput<OperationResult>,
  options: Execution,
) => Effect.tap(Effect.forkChild(execute(all, { run }, options)), () => settled)

describe("the deadline of a batch", () => {
  it.effect("aborts running operations, skips those not started, and keeps the results of the others", () =>
    Effect.gen(function* () {
      const all = operations(6)
      const signals: Array<AbortSignal> = []
      const run = ({ index }: Operation, { signal }: CallContext) => {
        if (index < 2) return success
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
      expect(signals.map(({ aborted, reason }) => ({ aborted, reason: reason.name }))).toEqual([
        { aborted: true, reason: "AbortError" },
        { aborted: true, reason: "AbortError" },
      ])
    }),
  )

  it.effect("ignores results that are returned afterwards", () =>
    Effect.gen(function* () {
      const all = operations(2)
      const late = Promise.withResolvers<OperationResult>()
      const fiber = yield* start(all, () => late.promise, { deadlineMs: 10 })
      yield* TestClock.adjust(10)
      yield* settled
      late.resolve(success)
      yield* settled
      expect(fiber.pollUnsafe()).toBeDefined()
      expect(endings(all)).toEqual(["error DEADLINE_EXCEEDED", "error DEADLINE_EXCEEDED"])
    }),
  )

  it.effect("interrupts handlers that are effects, without awaiting uninterruptible ones", () =>
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

  it.effect("notifies handlers that listen only after it has passed", () =>
    Effect.gen(function* () {
      const contexts: Array<CallContext> = []
      const run = (_: Operation, context: CallContext) => (contexts.push(context), never())
      yield* start(operations(1), run, { deadlineMs: 10 })
      yield* TestClock.adjust(10)
      yield* settled
      let notified = 0
      contexts[0]!.onAbort(() => notified++)
      expect(notified).toBe(1)
      expect(contexts[0]!.signal.aborted).toBe(true)
    }),
  )

  it.effect("starts nothing if it has already passed", () =>
    Effect.gen(function* () {
      const all = operations(2)
      let ran = 0
      yield* execute(all, { run: () => (ran++, success) }, { deadlineMs: 0 })
      yield* TestClock.withLive(execute(all, { run: () => (ran++, success) }, { deadlineMs: 0 }))
      expect(endings(all)).toEqual(["skipped DEADLINE_EXCEEDED", "skipped DEADLINE_EXCEEDED"])
      expect(ran).toBe(0)
    }),
  )

  it.effect("has no effect after all operations have ended", () =>
    Effect.gen(function* () {
      const all = operations(3)
      yield* execute(all, { run: () => success }, { deadlineMs: 10 })
      yield* TestClock.adjust(10)
      expect(endings(all)).toEqual(["success", "success", "success"])
    }),
  )
})

describe("the timeout of an operation", () => {
  it.effect("aborts only that operation, and the next one starts", () =>
    Effect.gen(function* () {
      const all = operations(4)
      const signals: Array<AbortSignal> = []
      const run = ({ index }: Operation, { signal }: CallContext) => {
        if (index !== 1) return success
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

  it.effect("counts from the start of the operation", () =>
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

  it.effect("does not affect operations that end in time", () =>
    Effect.gen(function* () {
      const all = operations(20)
      const run = ({ index }: Operation) => (index % 2 === 0 ? Effect.as(Effect.sleep(10 * index), success) : never())
      const fiber = yield* start(all, run, { concurrency: 20, operationTimeoutMs: 500 })
      yield* TestClock.adjust(500)
      yield* settled
      expect(fiber.pollUnsafe()).toBeDefined()
      expect(endings(all)).toEqual(all.map(({ index }) => (index % 2 === 0 ? "success" : "error TIMEOUT")))
    }),
  )

  it.effect("is superseded by an earlier deadline of the batch", () =>
    Effect.gen(function* () {
      const all = operations(2)
      yield* start(all, never, { operationTimeoutMs: 500, deadlineMs: 400 })
      yield* TestClock.adjust(400)
      yield* settled
      expect(endings(all)).toEqual(["error DEADLINE_EXCEEDED", "error DEADLINE_EXCEEDED"])
    }),
  )
})

describe("a client that disconnects", () => {
  it.effect("lets running operations finish and starts no others", () =>
    Effect.gen(function* () {
      const all = operations(5)
      const client = new AbortController()
      const result = Promise.withResolvers<OperationResult>()
      const signals: Array<AbortSignal> = []
      const run = (_: Operation, { signal }: CallContext) => (signals.push(signal), result.promise)
      const fiber = yield* start(all, run, { concurrency: 2, signal: client.signal })
      client.abort()
      yield* settled
      expect(fiber.pollUnsafe()).toBeUndefined()
      result.resolve(success)
      yield* settled
      expect(fiber.pollUnsafe()).toBeDefined()
      const skipped = "skipped CANCELLED"
      expect(endings(all)).toEqual(["success", "success", skipped, skipped, skipped])
      expect(signals.map(({ aborted }) => aborted)).toEqual([false, false])
    }),
  )

  it.effect("before the execution lets nothing start", () =>
    Effect.gen(function* () {
      const all = operations(2)
      yield* execute(all, { run: () => success }, { signal: AbortSignal.abort() })
      expect(endings(all)).toEqual(["skipped CANCELLED", "skipped CANCELLED"])
    }),
  )

  it.effect("after the execution changes nothing", () =>
    Effect.gen(function* () {
      const all = operations(2)
      const client = new AbortController()
      yield* execute(all, { run: () => success }, { signal: client.signal })
      client.abort()
      expect(endings(all)).toEqual(["success", "success"])
    }),
  )

  it.effect("does not extend the deadline of running operations", () =>
    Effect.gen(function* () {
      const all = operations(2)
      const client = new AbortController()
      const fiber = yield* start(all, never, { concurrency: 1, signal: client.signal, deadlineMs: 10 })
      client.abort()
      yield* TestClock.adjust(10)
      yield* settled
      expect(fiber.pollUnsafe()).toBeDefined()
      expect(endings(all)).toEqual(["error DEADLINE_EXCEEDED", "skipped CANCELLED"])
    }),
  )
})

describe("the strategy stop-after", () => {
  it("starts operations in request order, and none after the nth failure", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ fails: fc.boolean(), turns: fc.nat(3) }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 6 }),
        async (behaviours, failures, concurrency) => {
          const all = operations(behaviours.length)
          const started: Array<number> = []
          const run = async ({ index }: Operation) => {
            started.push(index)
            for (let turn = 0; turn < behaviours[index]!.turns; turn++) await undefined
            return behaviours[index]!.fails ? failed : success
          }
          await Effect.runPromise(execute(all, { run }, { concurrency, strategy: stopAfter(failures) }))
          expect(started).toEqual(started.map((_, position) => position))
          const ended = endings(all)
          expect(ended.filter((ending) => ending === "error CONFLICT").length).toBeLessThanOrEqual(
            failures + concurrency - 1,
          )
          all.forEach((_, index) => {
            const expected = behaviours[index]!.fails ? "error CONFLICT" : "success"
            expect(ended[index]).toBe(started.includes(index) ? expected : "skipped SKIPPED")
          })
          if (behaviours.filter(({ fails }) => fails).length < failures) expect(started).toHaveLength(behaviours.length)
        },
      ),
      { numRuns: 200 },
    )
  })

  it.effect("stops after exactly n failures if operations run one after another", () =>
    Effect.gen(function* () {
      const all = operations(8)
      const run = ({ index }: Operation) => (index % 2 === 1 ? failed : success)
      yield* execute(all, { run }, { concurrency: 1, strategy: stopAfter(2) })
      const skipped = "skipped SKIPPED"
      const conflict = "error CONFLICT"
      expect(endings(all)).toEqual(["success", conflict, "success", conflict, skipped, skipped, skipped, skipped])
    }),
  )

  it.effect("counts operations that were refused before execution", () =>
    Effect.gen(function* () {
      const all = operations(3)
      all[0]!.result = failed
      yield* execute(all, { run: () => success }, { strategy: stopAfter(1) })
      expect(endings(all)).toEqual(["error CONFLICT", "skipped SKIPPED", "skipped SKIPPED"])
    }),
  )

  it.effect("counts defects and timeouts as failures, but not skipped operations", () =>
    Effect.gen(function* () {
      const all = operations(5)
      Object.assign(all[1]!, { dependsOn: [{ operation: all[0], accept: [] }] })
      const run = ({ index }: Operation) => {
        if (index === 0) throw new Error("bug")
        return index === 2 ? never() : success
      }
      yield* start(all, run, { concurrency: 1, operationTimeoutMs: 10, strategy: stopAfter(2) })
      yield* TestClock.adjust(10)
      yield* settled
      const skipped = "skipped SKIPPED"
      expect(endings(all)).toEqual(["error INTERNAL", "skipped FAILED_DEPENDENCY", "error TIMEOUT", skipped, skipped])
    }),
  )

  it.effect("never coalesces operations", () =>
    Effect.gen(function* () {
      const all = operations(3)
      let calls = 0
      const runMany = (group: ReadonlyArray<Operation>) => (calls++, group.map(() => success))
      yield* execute(all, { run: () => success, runMany }, { strategy: stopAfter(2) })
      expect(calls).toBe(0)
    }),
  )
})
