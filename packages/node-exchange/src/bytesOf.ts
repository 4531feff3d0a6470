/** The body of a server's request. */
import type { IncomingMessage } from "node:http"

/**
 * The bytes of a request's body as they arrive.
 *
 * **Details**
 * Ending the iteration early leaves the request as it is, so that it can still be answered; Node's own iterator would
 * destroy its connection. It fails if the client goes away before the last byte.
 */
export const bytesOf = (request: IncomingMessage): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>,
})
