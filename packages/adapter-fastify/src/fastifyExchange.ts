/** Runs sub-requests through a Fastify application. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { type Exchange, type ExchangeOptions, makeExchange } from "@multistatus/node-exchange"

/** A Fastify instance, as far as an exchange uses it. */
export interface FastifyRouting {
  readonly routing: (request: IncomingMessage, response: ServerResponse) => void
}

/**
 * Makes the exchange of a Fastify application.
 *
 * **Details**
 * `fastify` may be any instance of the application, because all instances share one router. The application must be ready
 * (`await fastify.ready()` or `listen`) before the first dispatch. Bodies are sent as streams, so content type parsers,
 * `bodyLimit` and the protection against prototype poisoning apply as for any other request.
 */
export const fastifyExchange = (
  fastify: FastifyRouting,
  options?: Pick<ExchangeOptions, "maxResponseBytes">,
): Exchange => makeExchange({ ...options, handle: (request, response) => fastify.routing(request, response) })
