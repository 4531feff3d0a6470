/** How many batches run at once, over all endpoints that share one admission. */
import * as Effect from "effect/Effect"
import { BatchError, Overloaded } from "../domain/BatchError.ts"

/** Room for so many batches at once. @category models @since 0.1.0 */
export interface Admission {
  /** Runs an effect if there is room for it; refuses the batch at once if there is not. Nobody waits in line. */
  readonly within: <A, E>(run: Effect.Effect<A, E>) => Effect.Effect<A, E | BatchError>
}

/** Makes room for `limit` batches at once; undefined for any number of them. @category constructors @since 0.1.0 */
export const make = (limit: number | undefined): Admission => {
  if (limit === undefined) return { within: (run) => run }
  let running = 0
  const release = Effect.sync(() => {
    running--
  })
  return {
    within: <A, E>(run: Effect.Effect<A, E>) =>
      Effect.suspend((): Effect.Effect<A, E | BatchError> => {
        if (running >= limit) return Effect.fail(overloaded(limit))
        running++
        return Effect.ensuring(run, release)
      }),
  }
}

const overloaded = (limit: number) => new BatchError({ reason: new Overloaded({ limit, retryAfter: 1 }) })
