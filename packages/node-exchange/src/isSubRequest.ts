/** The mark on requests that an exchange made. */

// A registered symbol, so that two installed copies of this package recognise each other's requests.
const mark = Symbol.for("@multistatus/node-exchange/sub-request")

const marked: PropertyDescriptor = { value: true, enumerable: false, writable: false, configurable: false }

/**
 * @internal
 */
export const markSubRequest = (request: object): void => {
  Object.defineProperty(request, mark, marked)
}

/**
 * Tells whether a request is a sub-request of a batch rather than one that came over a socket.
 *
 * **Details**
 * Takes Node's request (`req` in Express, `request.raw` in Fastify). Nothing that a client sends can set the mark.
 */
export const isSubRequest = (request: object): boolean => Object.hasOwn(request, mark)
