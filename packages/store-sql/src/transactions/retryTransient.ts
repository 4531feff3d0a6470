import { setTimeout as delay } from "node:timers/promises"

import { isConflict } from "./transientErrors.ts"

/** Milliseconds after which conflicts are no longer retried. SQLite has its own busy timeout before that. */
const retryMs = 2000

/**
 * Runs `work` and retries it after conflicts, such as deadlocks. A failed attempt must leave no changes behind.
 *
 * @internal
 */
export const retryTransient = async <A>(work: () => Promise<A>): Promise<A> => {
  const endsAt = performance.now() + retryMs
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!isConflict(error) || performance.now() > endsAt) throw error
      // The random delay keeps transactions that failed together from colliding again.
      await delay(Math.random() * Math.min(100, 5 * 2 ** attempt))
    }
  }
}
