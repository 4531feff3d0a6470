import type { Timer } from "./FiberClock.ts"

/** Runs a request to another process; rejects if it has not completed after `milliseconds`. */
export const withTimeout = <A>(request: () => PromiseLike<A>, milliseconds: number, timer: Timer): Promise<A> =>
  new Promise((resolve, reject) => {
    const cancelTimer = timer(milliseconds, () => reject(new Error(`No response within ${milliseconds} ms`)))
    const send = async () => request()
    send()
      .then(resolve, reject)
      .finally(() => cancelTimer())
  })
