/** The asynchronous context (`AsyncLocalStorage`) of a batch's request, which its handlers run in. */
import * as Context from "effect/Context"

/** Runs a function in a captured asynchronous context. */
export type RunInContext = <A>(run: () => A) => A

/**
 * Captures the current asynchronous context. Called once per batch.
 *
 * **Details** The default captures nothing: handlers run in whatever context the engine happens to be in. Adapters for
 * Node provide `AsyncLocalStorage.snapshot`.
 */
export const AsyncContext = Context.Reference<() => RunInContext>("@multistatus/core/AsyncContext", {
  defaultValue: () => () => (run) => run(),
})
