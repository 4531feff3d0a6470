import { setTimeout as delay } from "node:timers/promises"

import { isTransient } from "./transientErrors.ts"

/** Milliseconds in which statements are sent again that rivals make fail. SQLite has waited for them by then. */
const patienceMs = 2000

/**
 * Does work that leaves nothing behind when it fails, again and again as long as rivals make it fail.
 *
 * @internal
 */
export const retryTransient = async <A>(work: () => Promise<A>): Promise<A> => {
  const endsAt = performance.now() + patienceMs
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!isTransient(error) || performance.now() > endsAt) throw error
      // Rivals that fail together must not come back together.
      await delay(Math.random() * Math.min(100, 5 * 2 ** attempt))
    }
  }
}
