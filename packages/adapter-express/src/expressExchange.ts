/** Runs sub-requests through an Express application. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { type Exchange, type ExchangeOptions, makeExchange } from "@multistatus/node-exchange"

/** An Express application, as far as an exchange uses it. */
export interface ExpressApplication {
  (request: IncomingMessage, response: ServerResponse): unknown
  /** The prototype of the application's requests. */
  readonly request: object
  /** The prototype of the application's responses. */
  readonly response: object
}

/**
 * Makes the exchange of an Express application.
 *
 * **Details**
 * Express sets the prototype of every request and response to the prototypes of the application. The exchange creates its
 * objects with these prototypes, so Express changes nothing. It never modifies the prototypes, which all requests share.
 */
export const expressExchange = (
  app: ExpressApplication,
  options?: Pick<ExchangeOptions, "preParsed" | "maxResponseBytes">,
): Exchange => makeExchange({ ...options, handle: app, requestPrototype: app.request, responsePrototype: app.response })
