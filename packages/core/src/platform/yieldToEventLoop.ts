declare const setImmediate: ((run: () => void) => unknown) | undefined

/**
 * Runs a function after the event loop has served pending input and output.
 *
 * **Details** Schedules a macrotask: a loop that only settles promises (microtasks) would starve all other work.
 */
export const yieldToEventLoop: (run: () => void) => void =
  typeof setImmediate === "function" ? (run) => void setImmediate(run) : (run) => void setTimeout(run, 0)
