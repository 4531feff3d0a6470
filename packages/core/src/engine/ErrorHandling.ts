/** What an endpoint does with errors that handlers throw. */
import * as Context from "effect/Context"
import type { Failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"

/** Where an unexpected error happened. `operation` is undefined where it concerns the batch as a whole. */
export interface UnexpectedOrigin {
  readonly endpoint: string
  readonly operation: Pick<Operation, "index" | "action" | "id"> | undefined
}

/** Called with an unexpected error and where it happened. */
export type OnUnexpected = (error: unknown, origin: UnexpectedOrigin) => void

/** Maps errors of handlers to failures, and reports those that stay unexpected. */
export interface ErrorHandler {
  /** Maps an error that a handler threw to a failure. Undefined, or a result of undefined, leaves the error unexpected. */
  readonly mapError?: ((error: unknown) => Failure | undefined) | undefined
  /** Called with unexpected errors. Default: they are logged. */
  readonly onUnexpected?: OnUnexpected | undefined
}

/** How errors of handlers are mapped and reported. Default: every error is unexpected, and is logged. */
export const ErrorHandling = Context.Reference<ErrorHandler>("@multistatus/core/ErrorHandling", {
  defaultValue: () => ({}),
})
