import type { Timer } from "./FiberClock.ts"

/**
 * Asks something outside of this process, and waits for the answer so many milliseconds and no longer: then it rejects.
 */
export const withTimeout = <A>(ask: () => PromiseLike<A>, milliseconds: number, timer: Timer): Promise<A> =>
  new Promise((resolve, reject) => {
    const stop = timer(milliseconds, () => reject(new Error(`There was no answer within ${milliseconds} ms`)))
    const asked = async () => ask()
    asked()
      .then(resolve, reject)
      .finally(() => stop())
  })
