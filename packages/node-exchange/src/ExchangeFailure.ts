/** The failure of a sub-request that ended without a reply. */

/**
 * A sub-request that got no reply. It is a plain value, because creating an `Error` costs more than a sub-request.
 *
 * **Details**
 * - `invalid`: the request has a header name or value that HTTP forbids; the application did not see it.
 * - `threw`: the handler threw or its promise was rejected; `error` is the thrown value.
 * - `destroyed`: the application destroyed the response, the request or the socket; `error` is the error it passed, if any.
 * - `aborted`: the caller aborted the sub-request.
 * - `too-large`: the reply exceeded `maxResponseBytes`; the application saw its client disconnect.
 *
 * `message` is for logs: it may quote an error of the application.
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
