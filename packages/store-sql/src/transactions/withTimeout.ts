/**
 * Waits for a promise no longer than some milliseconds.
 *
 * **Details** A promise that comes `late` is not cancelled, and a rejection that comes late is nobody's.
 *
 * @internal
 */
export const withTimeout = <A>(milliseconds: number, promise: Promise<A>): Promise<A | "late"> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve("late"), milliseconds)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
