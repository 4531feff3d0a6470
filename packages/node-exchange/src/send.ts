/** Sends sub-requests, as promises. */
import type { IncomingMessage } from "node:http"
import type { Exchange } from "./Exchange.ts"
import type { ExchangeFailure } from "./ExchangeFailure.ts"
import type { ExchangeReply } from "./ExchangeReply.ts"
import type { ExchangeRequest } from "./ExchangeRequest.ts"

/** The error of `send` for a sub-request that got no reply. `cause` is the application's error, if there is one. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError"
  readonly reason: ExchangeFailure["reason"]

  constructor({ reason, message, error }: ExchangeFailure) {
    super(message, { cause: error })
    this.reason = reason
  }
}

/**
 * Sends a sub-request. Rejects with an `ExchangeError` if it gets no reply.
 *
 * **Details** `onAbort` is called once, at the start, with a function that aborts the sub-request.
 */
export const send = (
  exchange: Exchange,
  request: ExchangeRequest,
  outer: IncomingMessage,
  onAbort: (abort: () => void) => void,
): Promise<ExchangeReply> =>
  new Promise((resolve, reject) => {
    const abort = exchange.dispatch(request, outer, (result) => {
      if (result._tag === "ExchangeReply") resolve(result)
      else reject(new ExchangeError(result))
    })
    onAbort(abort)
  })
