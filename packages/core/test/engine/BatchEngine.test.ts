import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import { TestClock } from "effect/testing"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import { partial } from "../../src/batch/Strategy.ts"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import { resolveOptions } from "../../src/api/BatchSettings.ts"
import * as EndpointServices from "../../src/api/EndpointServices.ts"
import { BatchEngine } from "../../src/engine/BatchEngine.ts"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import type { Dispatcher } from "../../src/batch/Dispatcher.ts"
import { endings, operations } from "../support/execute.ts"

const success = OperationResult.success("done")

/** Runs a batch and waits until its results are recorded. */
const runBatch = (
  all: ReadonlyArray<Operation<undefined>>,
  dispatcher: Partial<Dispatcher<undefined>> = {},
  { endpoint = "test", ...options }: BatchOptions & { readonly endpoint?: string } = {},
) => {
  const settings = resolveOptions({ onUnexpected: () => {}, ...options })
  const request = {
    endpoint,
    batch: { operations: all, strategy: partial },
    dispatcher: { coalesces: () => false, run: () => success, ...dispatcher },
    limits: settings.limits,
    tenant: "t",
    signal: undefined,
  }
  const running = BatchEngine.use(({ run }) => run(request))
  return Effect.provide(Effect.scoped(running), EndpointServices.fromSettings(settings), { local: true })
}

const oneTurn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

describe("the deadline of a batch", () => {
  it.effect("includes the time that preparing takes", () =>
    Effect.gen(function* () {
      const all = operations(3)
      const prepared = Promise.withResolvers<void>()
      const dispatcher = {
        prepare: () => prepared.promise,
        run: () => new Promise<OperationResult>(() => {}),
      }
      const fiber = yield* Effect.forkChild(runBatch(all, dispatcher, { limits: { deadline: 1_000 } }))
      yield* oneTurn
      yield* TestClock.adjust(600)
      prepared.resolve()
      yield* oneTurn
      yield* TestClock.adjust(399)
      yield* oneTurn
      expect(fiber.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust(1)
      yield* oneTurn
      expect(fiber.pollUnsafe()).toBeDefined()
      expect(endings(all)).toEqual(all.map(() => "error DEADLINE_EXCEEDED"))
    }),
  )

  it.effect("ends preparing, and then no operation runs", () =>
    Effect.gen(function* () {
      const all = operations(3)
      all[0]!.result = success
      let ran = 0
      const dispatcher = { prepare: () => new Promise<void>(() => {}), run: () => (ran++, success) }
      const fiber = yield* Effect.forkChild(runBatch(all, dispatcher, { limits: { deadline: 1_000 } }))
      yield* oneTurn
      yield* TestClock.adjust(1_000)
      yield* Fiber.join(fiber)
      expect(endings(all)).toEqual(["success", "skipped DEADLINE_EXCEEDED", "skipped DEADLINE_EXCEEDED"])
      expect(ran).toBe(0)
    }),
  )
})

describe("a batch", () => {
  it.effect("dies where preparing throws, and no operation runs", () =>
    Effect.gen(function* () {
      let ran = 0
      const dispatcher = { prepare: () => Promise.reject(new Error("bug")), run: () => (ran++, success) }
      const exit = yield* Effect.exit(runBatch(operations(3), dispatcher))
      expect(exit._tag).toBe("Failure")
      expect(ran).toBe(0)
    }),
  )

  it.effect("counts itself and its operations by outcome", () =>
    Effect.gen(function* () {
      const run = ({ index }: Operation) => {
        if (index === 1) throw new Error("bug")
        return index === 2 ? OperationResult.replay(success) : success
      }
      const count = (name: string, outcome?: string) =>
        Effect.map(Metric.snapshot, (metrics) =>
          metrics
            .filter(
              ({ id, attributes }) =>
                id === name && attributes?.["endpoint"] === "counted" && attributes["outcome"] === outcome,
            )
            .map(({ state }) => (state as { readonly count: number | bigint }).count),
        )
      yield* runBatch(operations(5), { run }, { endpoint: "counted" })
      expect(yield* count("multistatus.batches")).toEqual([1])
      expect(yield* count("multistatus.operations", "success")).toEqual([4])
      expect(yield* count("multistatus.operations", "error")).toEqual([1])
      expect(yield* count("multistatus.replays")).toEqual([1])
    }),
  )

  it.effect("that is interrupted while the store records its results ends when the store has answered", () =>
    Effect.gen(function* () {
      const memory = memoryIdempotencyStore()
      const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const store: typeof memory = {
        ...memory,
        settle: async (...call) => {
          asked.resolve()
          await answered.promise
          return memory.settle(...call)
        },
      }
      const options = { tenant: () => "t", idempotency: { store } }
      const withKey = () => operations(1).map((operation) => ({ ...operation, idempotencyKey: "k" }))
      const fiber = yield* Effect.forkChild(runBatch(withKey(), {}, options))
      yield* Effect.promise(() => asked.promise)
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* oneTurn
      expect(fiber.pollUnsafe()).toBeUndefined()
      answered.resolve()
      yield* Fiber.join(interrupting)
      const retried = withKey()
      yield* runBatch(retried, {}, options)
      expect(retried[0]!.result).toMatchObject({ value: "done", replayed: true })
    }),
  )
})
