/** Sub-requests through a Fastify instance. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { type Exchange, type ExchangeOptions, makeExchange } from "@multistatus/node-exchange"

/** The part of a Fastify instance that an exchange uses. */
export interface FastifyRouting {
  readonly routing: (request: IncomingMessage, response: ServerResponse) => void
}

/**
 * Makes the exchange of a Fastify instance.
 *
 * **Details**
 * Any instance of an application will do, an encapsulated one too: routing is the application's as a whole. It must be
 * ready (`await fastify.ready()`, or listening) before the first dispatch. Bodies arrive as streams, so that the content
 * type parsers, `bodyLimit` and the protection of prototypes apply as they do to a request that comes alone.
 */
export const fastifyExchange = (
  fastify: FastifyRouting,
  options?: Pick<ExchangeOptions, "maxResponseBytes">,
): Exchange => makeExchange({ ...options, handle: (request, response) => fastify.routing(request, response) })
