import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import { TestClock } from "effect/testing"
import * as Limits from "../../src/batch/Limits.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import * as Plan from "../../src/planning/Plan.ts"
import { partial } from "../../src/batch/Strategy.ts"
import { BatchEngine, type EngineOptions } from "../../src/engine/BatchEngine.ts"
import * as BatchMetrics from "../../src/engine/BatchMetrics.ts"
import type { Dispatcher } from "../../src/batch/Dispatcher.ts"
import { endings, operations } from "../support/execute.ts"

const good = OperationResult.success("done")

const engine = (
  all: ReadonlyArray<Operation<undefined>>,
  dispatcher: Partial<Dispatcher<undefined>>,
  limits: Limits.LimitsOptions = {},
  given: Partial<EngineOptions> = {},
) => {
  const options: EngineOptions = {
    endpoint: "test",
    format: undefined,
    limits: Limits.make(limits),
    concurrency: 10,
    planner: Plan.make,
    policies: [],
    mapError: undefined,
    onUnexpected: () => {},
    unitOfWork: undefined,
    transactionSize: undefined,
    idempotency: undefined,
    metrics: BatchMetrics.recorder("test"),
    ...given,
  }
  const whole: Dispatcher<undefined> = { coalesces: () => false, run: () => good, ...dispatcher }
  const request = {
    batch: { operations: all, strategy: partial },
    dispatcher: whole,
    tenant: undefined,
    idempotencyKey: undefined,
    signal: undefined,
  }
  return Effect.provide(
    BatchEngine.use(({ run }) => run(request, options)),
    BatchEngine.layer,
  )
}

const settled = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

describe("run", () => {
  it.effect("counts preparing towards the time of the batch", () =>
    Effect.gen(function* () {
      const all = operations(3)
      const prepared = Promise.withResolvers<void>()
      const dispatcher = {
        prepare: () => prepared.promise,
        run: () => new Promise<OperationResult>(() => {}),
      }
      const fiber = yield* Effect.forkChild(engine(all, dispatcher, { deadline: 1_000 }))
      yield* settled
      yield* TestClock.adjust(600)
      prepared.resolve()
      yield* settled
      yield* TestClock.adjust(399)
      yield* settled
      expect(fiber.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust(1)
      yield* settled
      expect(fiber.pollUnsafe()).toBeDefined()
      expect(endings(all)).toEqual(all.map(() => "error DEADLINE_EXCEEDED"))
    }),
  )

  it.effect("gives preparing up at the deadline, and then runs nothing", () =>
    Effect.gen(function* () {
      const all = operations(3)
      all[0]!.result = good
      let ran = 0
      const dispatcher = { prepare: () => new Promise<void>(() => {}), run: () => (ran++, good) }
      const fiber = yield* Effect.forkChild(engine(all, dispatcher, { deadline: 1_000 }))
      yield* settled
      yield* TestClock.adjust(1_000)
      yield* Fiber.join(fiber)
      expect(endings(all)).toEqual(["success", "skipped DEADLINE_EXCEEDED", "skipped DEADLINE_EXCEEDED"])
      expect(ran).toBe(0)
    }),
  )

  it.effect("dies, with nothing run, where preparing dies", () =>
    Effect.gen(function* () {
      let ran = 0
      const dispatcher = { prepare: () => Promise.reject(new Error("bug")), run: () => (ran++, good) }
      const exit = yield* Effect.exit(engine(operations(3), dispatcher))
      expect(exit._tag).toBe("Failure")
      expect(ran).toBe(0)
    }),
  )

  it.effect("counts batches and operations by outcome", () =>
    Effect.gen(function* () {
      const all = operations(5)
      const run = ({ index }: Operation) => {
        if (index === 1) throw new Error("bug")
        return index === 2 ? OperationResult.replay(good) : good
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
      yield* engine(all, { run }, {}, { endpoint: "counted", metrics: BatchMetrics.recorder("counted") })
      expect(yield* count("multistatus.batches")).toEqual([1])
      expect(yield* count("multistatus.operations", "success")).toEqual([4])
      expect(yield* count("multistatus.operations", "error")).toEqual([1])
      expect(yield* count("multistatus.replays")).toEqual([1])
    }),
  )
})
