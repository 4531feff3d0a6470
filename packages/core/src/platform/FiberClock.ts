/** What time it is for one batch, and how it waits: by the clock of the batch's fiber. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** Calls `fire` after some milliseconds; the returned function cancels it. */
export type Timer = (milliseconds: number, fire: () => void) => () => void

export interface FiberClock {
  /** Milliseconds, steadily rising. */
  readonly now: () => number
  readonly timer: Timer
}

/** The clock in a context. */
export const make = (context: Context.Context<never>): FiberClock => {
  const clock = Context.get(context, Clock.Clock)
  const fork = Effect.runForkWith(context)
  if (clock.constructor === liveClock) return live((error) => fork(Effect.logError("A timer failed", Cause.die(error))))
  return {
    now: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6,
    timer: (milliseconds, fire) => {
      const sleeping = fork(Effect.andThen(Effect.sleep(milliseconds), Effect.sync(fire)))
      return () => sleeping.interruptUnsafe()
    },
  }
}

const liveClock = Clock.Clock.defaultValue().constructor

/** Beyond this a timer of JavaScript fires at once. */
const longestMs = 2 ** 31 - 1

// The same as the live clock does, without a big integer and a fiber each time. Another one, a test's, is asked itself.
const live = (onError: (error: unknown) => void): FiberClock => ({
  now: () => performance.now(),
  timer: (milliseconds, fire) => {
    // Nobody is there to catch what is thrown here: it would end the process.
    const guarded = () => {
      try {
        fire()
      } catch (error) {
        onError(error)
      }
    }
    const waiting = setTimeout(guarded, Math.min(milliseconds, longestMs))
    return () => clearTimeout(waiting)
  },
})
