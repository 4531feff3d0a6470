/** Why a sub-request ended without an answer. */

/**
 * A sub-request that got no answer: a value, since making an `Error` for each costs more than the sub-request.
 *
 * **Details**
 * - `invalid`: the request was refused before the application saw it (a header name or value that HTTP does not allow).
 * - `threw`: the handler threw, or the promise it returned was rejected; `error` is what it threw.
 * - `destroyed`: the application destroyed the response, the request or the socket; `error` is what it gave, if anything.
 * - `aborted`: the function that `dispatch` returned was called.
 * - `too-large`: the answer grew beyond `maxResponseBytes`; the application saw its client disconnect.
 *
 * `message` is for logs: it may quote what the application threw.
 */
export interface ExchangeFailure {
  readonly _tag: "ExchangeFailure"
  readonly reason: "invalid" | "threw" | "destroyed" | "aborted" | "too-large"
  readonly message: string
  readonly error?: unknown
}

/**
 * @internal
 */
export const makeFailure = (reason: ExchangeFailure["reason"], message: string, error?: unknown): ExchangeFailure => ({
  _tag: "ExchangeFailure",
  reason,
  message: error instanceof Error ? `${message}: ${error.message}` : message,
  ...(error !== undefined && { error }),
})
