import { it } from "@effect/vitest"
import { TestClock } from "effect/testing"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { describe, expect } from "vitest"
import * as FiberClock from "../../src/platform/FiberClock.ts"

describe("a fiber's clock", () => {
  it.live("calls in time, unless it is called off, and logs what is thrown there", () => {
    const logged: Array<unknown> = []
    const logger = Logger.make(({ message, cause }) => void logged.push(message, cause))
    return Effect.gen(function* () {
      const { now, timer } = FiberClock.make(yield* Effect.context<never>())
      const [began, fired] = [now(), [] as Array<string>]
      timer(1, () => {
        throw new Error("Thrown in a timer")
      })
      timer(5, () => void fired.push("five"))
      timer(5, () => void fired.push("called off"))()
      yield* Effect.sleep(50)
      expect(fired).toEqual(["five"])
      expect(now() - began).toBeGreaterThanOrEqual(49)
      expect(String(logged)).toContain("Thrown in a timer")
    }).pipe(Effect.provide(Logger.layer([logger])))
  })

  it.effect("is the one of the test, where there is one", () =>
    Effect.gen(function* () {
      const { now, timer } = FiberClock.make(yield* Effect.context<never>())
      const [began, fired] = [now(), [] as Array<string>]
      timer(86_400_000, () => void fired.push("a day"))
      yield* TestClock.adjust("1 day")
      expect([now() - began, fired]).toEqual([86_400_000, ["a day"]])
    }),
  )
})
