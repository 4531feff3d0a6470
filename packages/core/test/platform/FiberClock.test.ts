import { it } from "@effect/vitest"
import { TestClock } from "effect/testing"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { describe, expect } from "vitest"
import * as FiberClock from "../../src/platform/FiberClock.ts"

describe("a fiber's clock", () => {
  it.live("fires timers on time, skips cancelled ones, and logs what a timer throws", () => {
    const logged: Array<unknown> = []
    const logger = Logger.make(({ message, cause }) => void logged.push(message, cause))
    return Effect.gen(function* () {
      const { now, timer } = FiberClock.make(yield* Effect.context<never>())
      const startedAt = now()
      const fired: Array<string> = []
      timer(1, () => {
        throw new Error("Thrown in a timer")
      })
      timer(5, () => void fired.push("kept"))
      timer(5, () => void fired.push("cancelled"))()
      yield* Effect.sleep(50)
      expect(fired).toEqual(["kept"])
      expect(now() - startedAt).toBeGreaterThanOrEqual(49)
      expect(String(logged)).toContain("Thrown in a timer")
    }).pipe(Effect.provide(Logger.layer([logger])))
  })

  it.effect("is the test clock where one is provided", () =>
    Effect.gen(function* () {
      const { now, timer } = FiberClock.make(yield* Effect.context<never>())
      const startedAt = now()
      const fired: Array<string> = []
      timer(86_400_000, () => void fired.push("after a day"))
      yield* TestClock.adjust("1 day")
      expect({ elapsed: now() - startedAt, fired }).toEqual({ elapsed: 86_400_000, fired: ["after a day"] })
    }),
  )
})
