import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Admission from "../../src/edge/Admission.ts"

describe("within", () => {
  it.effect("refuses at once what there is no room for, and says when to come back", () =>
    Effect.gen(function* () {
      const { within } = Admission.make(2)
      const running = yield* Effect.forkChild(
        Effect.all([within(Effect.never), within(Effect.never)], { concurrency: 2 }),
      )
      yield* Effect.yieldNow
      const refused = yield* Effect.flip(within(Effect.void))
      expect(refused).toMatchObject({ status: 503, reason: { code: "OVERLOADED", limit: 2, retryAfter: 1 } })
      yield* Fiber.interrupt(running)
      yield* within(Effect.void)
    }),
  )

  it.effect("has room again after success, failure, defect and interruption", () =>
    Effect.gen(function* () {
      const { within } = Admission.make(1)
      yield* within(Effect.void)
      yield* Effect.exit(within(Effect.fail("no")))
      yield* Effect.exit(within(Effect.die("bug")))
      const fiber = yield* Effect.forkChild(within(Effect.never))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      expect(yield* within(Effect.succeed("room"))).toBe("room")
    }),
  )

  it.effect("takes everything without a limit", () =>
    Effect.gen(function* () {
      const { within } = Admission.make(undefined)
      const all = Array.from({ length: 100 }, () => within(within(Effect.succeed(1))))
      expect(yield* Effect.all(all)).toHaveLength(100)
    }),
  )
})
