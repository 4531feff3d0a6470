/** Delivers the body of a sub-request, and discards it if nothing reads it. */
import { IncomingMessage } from "node:http"

/** A request with the undocumented members of Node's `IncomingMessage` that an exchange uses. */
interface RequestInternals extends Omit<IncomingMessage, "complete"> {
  complete: boolean
  _consuming: boolean
  _dumped: boolean
  _dump: () => void
  readonly _readableState: {
    ended: boolean
    endEmitted: boolean
    destroyed: boolean
    closed: boolean
    closeEmitted: boolean
    resumeScheduled: boolean
  }
}

/**
 * Pushes the whole body into the request, as a server does with a body that arrives together with the head.
 *
 * @internal
 */
export const deliverBody = (request: IncomingMessage, body: string | Uint8Array | undefined): void => {
  if (request.destroyed) return
  if (body !== undefined && body.length > 0) request.push(typeof body === "string" ? Buffer.from(body) : body)
  request.complete = true
  request.push(null)
}

/**
 * Marks the body as read to its end and the request as closed.
 *
 * @internal
 */
export const markBodyRead = (request: IncomingMessage): void => {
  const internals = request as unknown as RequestInternals
  const state = internals._readableState
  internals.complete = true
  internals._dumped = true
  state.ended = true
  state.endEmitted = true
  state.destroyed = true
  state.closed = true
  state.closeEmitted = true
}

/**
 * Discards the body after the response, as a server does, unless the application has begun to read it.
 *
 * **Details** Reading the body to its end takes several ticks. If nothing listens for `end` or `close`, the final state is
 * set directly once the response `isClosed`.
 *
 * @internal
 */
export const discardBody = (request: IncomingMessage, isClosed: boolean): void => {
  const internals = request as unknown as RequestInternals
  if (internals._consuming || internals._readableState.resumeScheduled || request.destroyed) return
  if (request.listenerCount("end") > 0 || request.listenerCount("close") > 0) internals._dump()
  else if (isClosed) markBodyRead(request)
}

// Newer versions of Node abort `request.signal` when the socket closes, unless this method was called before.
const detachMethod = Object.getOwnPropertySymbols(IncomingMessage.prototype).find(
  ({ description }) => description === "kDetachAbortSignal",
)

/**
 * Detaches `request.signal` from the socket, because the request has been answered.
 *
 * @internal
 */
export const detachSignal = (request: IncomingMessage): void => {
  if (detachMethod !== undefined) (request as unknown as Record<symbol, () => void>)[detachMethod]?.()
}
