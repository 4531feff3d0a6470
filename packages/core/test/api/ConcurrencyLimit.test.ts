import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as ConcurrencyLimit from "../../src/api/ConcurrencyLimit.ts"

describe("within", () => {
  it.effect("refuses a batch above the limit at once, and says when to retry", () =>
    Effect.gen(function* () {
      const { within } = ConcurrencyLimit.make({ concurrentBatches: 2, concurrentBatchesPerTenant: undefined })
      const running = yield* Effect.forkChild(
        Effect.all([within("a", Effect.never), within("a", Effect.never)], { concurrency: 2 }),
      )
      yield* Effect.yieldNow
      const refused = yield* Effect.flip(within("a", Effect.void))
      expect(refused).toMatchObject({ status: 503, reason: { code: "OVERLOADED", limit: 2, retryAfter: 1 } })
      yield* Fiber.interrupt(running)
      yield* within("a", Effect.void)
    }),
  )

  it.effect("accepts batches again after a success, a failure, a defect and an interruption", () =>
    Effect.gen(function* () {
      const { within } = ConcurrencyLimit.make({ concurrentBatches: 1, concurrentBatchesPerTenant: undefined })
      yield* within("a", Effect.void)
      yield* Effect.exit(within("a", Effect.fail("no")))
      yield* Effect.exit(within("a", Effect.die("bug")))
      const fiber = yield* Effect.forkChild(within("a", Effect.never))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      expect(yield* within("a", Effect.succeed("room"))).toBe("room")
    }),
  )

  it.effect("limits the batches of one tenant", () =>
    Effect.gen(function* () {
      const { within } = ConcurrencyLimit.make({ concurrentBatches: 3, concurrentBatchesPerTenant: 1 })
      const running = yield* Effect.forkChild(within("a", Effect.never))
      yield* Effect.yieldNow
      const refused = yield* Effect.flip(within("a", Effect.void))
      expect(refused).toMatchObject({ status: 503, reason: { limit: 1, scope: "caller" } })
      yield* within("b", Effect.void)
      yield* Fiber.interrupt(running)
      yield* within("a", Effect.void)
    }),
  )

  it.effect("accepts every batch without a limit", () =>
    Effect.gen(function* () {
      const { within } = ConcurrencyLimit.make({ concurrentBatches: undefined, concurrentBatchesPerTenant: undefined })
      const all = Array.from({ length: 100 }, () => within("a", within("a", Effect.succeed(1))))
      expect(yield* Effect.all(all)).toHaveLength(100)
    }),
  )
})
