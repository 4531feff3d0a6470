/** Reads the body of a request. */
import type { IncomingMessage } from "node:http"

/**
 * Iterates over the body of a request as its bytes arrive.
 *
 * **Details**
 * Leaving the loop early does not destroy the request, so it can still be answered; Node's own iterator would close the
 * connection. The iteration throws if the client disconnects before the last byte.
 */
export const bytesOf = (request: IncomingMessage): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>,
})
