/** How a sub-request's body arrives, and what becomes of it when nobody reads it. */
import { IncomingMessage } from "node:http"

interface NativeRequest extends Omit<IncomingMessage, "complete"> {
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
 * Hands over the whole body, as a server does with what came in the same packet as the head.
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
 * Marks the body as read and the request as over.
 *
 * @internal
 */
export const closeBody = (request: IncomingMessage): void => {
  const native = request as unknown as NativeRequest
  const state = native._readableState
  native.complete = true
  native._dumped = true
  state.ended = true
  state.endEmitted = true
  state.destroyed = true
  state.closed = true
  state.closeEmitted = true
}

/**
 * Discards a body that nobody has begun to read when the response is over, as a server does.
 *
 * Reading it to its end takes several ticks; where nobody listens, the state it would leave is set instead, once the
 * response has `closed`.
 *
 * @internal
 */
export const leaveUnread = (request: IncomingMessage, closed: boolean): void => {
  const native = request as unknown as NativeRequest
  if (native._consuming || native._readableState.resumeScheduled || request.destroyed) return
  if (request.listenerCount("end") > 0 || request.listenerCount("close") > 0) native._dump()
  else if (closed) closeBody(request)
}

// Newer Nodes abort `request.signal` when the socket closes, unless a response came first; that is told by a symbol.
const detach = Object.getOwnPropertySymbols(IncomingMessage.prototype).find(
  ({ description }) => description === "kDetachAbortSignal",
)

/**
 * Tells the request that it has been answered.
 *
 * @internal
 */
export const answered = (request: IncomingMessage): void => {
  if (detach !== undefined) (request as unknown as Record<symbol, () => void>)[detach]?.()
}
