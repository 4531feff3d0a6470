/** The mark that tells sub-requests from requests over a socket. */

// The symbol is registered, so two installed copies of this package recognise each other's requests.
const mark = Symbol.for("@multistatus/node-exchange/sub-request")

const descriptor: PropertyDescriptor = { value: true, enumerable: false, writable: false, configurable: false }

/**
 * Marks a request as a sub-request.
 *
 * @internal
 */
export const markSubRequest = (request: object): void => {
  Object.defineProperty(request, mark, descriptor)
}

/**
 * Returns whether a request is a sub-request of a batch, not a request that arrived over a socket.
 *
 * **Details**
 * `request` is Node's request: `req` in Express, `request.raw` in Fastify. A client cannot set the mark.
 */
export const isSubRequest = (request: object): boolean => Object.hasOwn(request, mark)
