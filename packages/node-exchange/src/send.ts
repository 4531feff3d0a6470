/** Exchanges as promises. */
import type { IncomingMessage } from "node:http"
import type { Exchange } from "./Exchange.ts"
import type { ExchangeFailure } from "./ExchangeFailure.ts"
import type { ExchangeReply } from "./ExchangeReply.ts"
import type { ExchangeRequest } from "./ExchangeRequest.ts"

/** An exchange that got no answer. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError"
  readonly reason: ExchangeFailure["reason"]

  constructor({ reason, message, error }: ExchangeFailure) {
    super(message, { cause: error })
    this.reason = reason
  }
}

/** Sends a sub-request; `onAbort` is given what aborts it. */
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
