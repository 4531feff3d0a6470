declare const setImmediate: ((run: () => void) => unknown) | undefined

/**
 * Runs a function after pending input and output were served.
 *
 * **Details** Loops that only settle promises starve everything else, so a turn of the event loop is waited for, not a
 * microtask.
 */
export const yieldToEventLoop: (run: () => void) => void =
  typeof setImmediate === "function" ? (run) => void setImmediate(run) : (run) => void setTimeout(run, 0)
