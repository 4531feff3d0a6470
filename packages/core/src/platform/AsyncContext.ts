/** How calls of handlers keep the asynchronous context (`AsyncLocalStorage`) of the request that their batch came in. */
import * as Context from "effect/Context"

/** Runs a function in the context that was captured. */
export type RunInContext = <A>(run: () => A) => A

/**
 * Captures the current asynchronous context, once per batch.
 *
 * **Details** By default nothing is captured: handlers are called in whatever context the engine happens to run in.
 * Adapters for Node give `AsyncLocalStorage.snapshot`.
 */
export const AsyncContext = Context.Reference<() => RunInContext>("@multistatus/core/AsyncContext", {
  defaultValue: () => () => (run) => run(),
})
