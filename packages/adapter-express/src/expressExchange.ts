/** Sub-requests through an Express application, 4 or 5. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { type Exchange, type ExchangeOptions, makeExchange } from "@multistatus/node-exchange"

/** The part of an Express application that an exchange uses. */
export interface ExpressApplication {
  (request: IncomingMessage, response: ServerResponse): unknown
  readonly request: object
  readonly response: object
}

/**
 * Makes the exchange of an Express application.
 *
 * **Details**
 * Express sets the prototype of every request and response to those of the application. Here they are built with them,
 * so that this changes nothing; the prototypes themselves, which live requests share, are never touched.
 */
export const expressExchange = (
  app: ExpressApplication,
  options?: Pick<ExchangeOptions, "preParsed" | "maxResponseBytes">,
): Exchange => makeExchange({ ...options, handle: app, requestPrototype: app.request, responsePrototype: app.response })
