/** The time and the timers of one batch, by the clock of its fiber. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** Calls `fire` after some milliseconds; the returned function cancels the timer. */
export type Timer = (milliseconds: number, fire: () => void) => () => void

/** A monotonic clock and its timers. */
export interface FiberClock {
  /** Milliseconds; never goes backwards. */
  readonly now: () => number
  readonly timer: Timer
}

/** Returns the clock of a fiber's context. */
export const make = (context: Context.Context<never>): FiberClock => {
  const clock = Context.get(context, Clock.Clock)
  const fork = Effect.runForkWith(context)
  if (clock.constructor === liveClock) {
    return platformClock((error) => fork(Effect.logError("Timer callback failed unexpectedly", Cause.die(error))))
  }
  return {
    now: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6,
    timer: (milliseconds, fire) => {
      const sleeper = fork(Effect.andThen(Effect.sleep(milliseconds), Effect.sync(fire)))
      return () => sleeper.interruptUnsafe()
    },
  }
}

const liveClock = Clock.Clock.defaultValue().constructor

/** JavaScript fires a timer with a longer delay at once. */
const maximumDelayMs = 2 ** 31 - 1

// Equivalent to Effect's live clock, without a bigint and a fiber for each call. Any other clock, such as a test clock,
// is used as it is.
const platformClock = (onError: (error: unknown) => void): FiberClock => ({
  now: () => performance.now(),
  timer: (milliseconds, fire) => {
    // Nothing catches an error thrown from a timer: it would end the process.
    const fireSafely = () => {
      try {
        fire()
      } catch (error) {
        onError(error)
      }
    }
    const timeout = setTimeout(fireSafely, Math.min(milliseconds, maximumDelayMs))
    return () => clearTimeout(timeout)
  },
})
