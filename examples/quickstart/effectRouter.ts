/**
 * Mounts batch endpoints on the router of Effect, whose module `effect/http` may still change.
 */
import type { HttpRequest, HttpResponse } from "@multistatus/core/adapter"
import type { BatchEndpoint } from "@multistatus/core/effect"
import * as Effect from "effect/Effect"
import { HttpRouter, type HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Stream from "effect/Stream"

/** Makes the route of an endpoint. The route needs the services that making the endpoint needs. */
export const batchRoute = <R>(path: HttpRouter.PathInput, make: Effect.Effect<BatchEndpoint.BatchEndpoint, never, R>) =>
  HttpRouter.use((router) =>
    Effect.flatMap(make, ({ handle }) =>
      router.add("POST", path, (request) => Effect.map(handle(toRequest(request)), toResponse)),
    ),
  )

const toRequest = (request: HttpServerRequest.HttpServerRequest): HttpRequest => ({
  method: request.method,
  url: request.originalUrl,
  headers: request.headers,
  body: { _tag: "Stream", bytes: Stream.toAsyncIterable(request.stream) },
  isSubRequest: false,
  // The router interrupts `handle` when the client disconnects.
  signal: new AbortController().signal,
  raw: request,
})

const toResponse = ({ status, headers, body }: HttpResponse): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(body, { status, headers, contentType: headers["content-type"] })
