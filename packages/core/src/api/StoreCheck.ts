/** The check of the stores of endpoints, when they are created. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { OnUnexpected } from "../engine/ErrorHandling.ts"

/** The stores of an endpoint that may have a check. */
type CheckedStores = ReadonlyArray<{ readonly check?: (() => Promise<void>) | undefined } | undefined>

/** Checks the stores of an endpoint in the background. */
type CheckStores = (stores: CheckedStores, endpoint: string, onUnexpected: OnUnexpected | undefined) => void

/**
 * Makes the function that checks the stores of endpoints.
 *
 * **Details** It checks each store once, and reports what is wrong through `onUnexpected`, or logs it. It never throws.
 */
export const make = (runFork: (effect: Effect.Effect<void>) => void): CheckStores => {
  const checked = new Set<unknown>()
  return (stores, endpoint, onUnexpected) => {
    const report = (error: unknown): void => {
      if (onUnexpected !== undefined) onUnexpected(error, { endpoint, operation: undefined })
      else runFork(Effect.logError("A store is not ready", { endpoint }, Cause.die(error)))
    }
    for (const store of stores) {
      const { check } = store ?? {}
      if (check === undefined || checked.has(check)) continue
      checked.add(check)
      // An error of `onUnexpected` itself must not end the process.
      void Promise.resolve()
        .then(() => check.call(store))
        .catch(report)
        .catch(() => undefined)
    }
  }
}
