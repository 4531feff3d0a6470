/** Sends sub-requests, as promises. */
import type { IncomingMessage } from "node:http"
import type { Exchange } from "./Exchange.ts"
import { type ExchangeFailure, makeFailure } from "./ExchangeFailure.ts"
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
 * **Details** `onAbort` is called once, at the start, with a function that aborts the sub-request. Each sub-request begins
 * in a turn of the event loop of its own, as requests that arrive over sockets do. Otherwise a rate limiter that counts
 * and then awaits would count all sub-requests of a batch before it lets the first one pass.
 */
export const send = (
  exchange: Exchange,
  request: ExchangeRequest,
  outer: IncomingMessage,
  onAbort: (abort: () => void) => void,
): Promise<ExchangeReply> =>
  new Promise((resolve, reject) => {
    let isAborted = false
    let abort = () => {
      isAborted = true
      reject(new ExchangeError(makeFailure("aborted", "The sub-request was aborted before it began")))
    }
    setImmediate(begin, () => {
      if (isAborted) return
      abort = exchange.dispatch(request, outer, (result) => {
        if (result._tag === "ExchangeReply") resolve(result)
        else reject(new ExchangeError(result))
      })
    })
    onAbort(() => abort())
  })

/** Milliseconds for which sub-requests begin before the event loop turns to other work. */
const sliceMs = 5

let sliceEnd: number | undefined

// Node runs all immediates that are due one after another, with promise callbacks in between, and then looks for I/O.
const begin = (dispatch: () => void): void => {
  const now = performance.now()
  if (sliceEnd === undefined) {
    sliceEnd = now + sliceMs
    setImmediate(endSlice)
  }
  if (now < sliceEnd) dispatch()
  else setImmediate(begin, dispatch)
}

const endSlice = (): void => {
  sliceEnd = undefined
}
