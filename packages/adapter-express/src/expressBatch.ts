/** Batch endpoints for Express 4 and 5. */
import type { IncomingMessage, ServerResponse } from "node:http"
import {
  type BatchOptions,
  type BulkOptions,
  type OperationsOptions,
  type RequestsOptions,
  type Resource,
} from "@multistatus/core"
import {
  type ActionTypes,
  type BulkItemOf,
  type SentOperationOf,
  createBatch,
  type Endpoint,
  type HttpBody,
  type HttpRequest,
} from "@multistatus/core/adapter"
import {
  bytesOf,
  disconnectSignal,
  type ExchangeOptions,
  isSubRequest,
  nodePlatform,
  send,
  writeAnswer,
} from "@multistatus/node-exchange"
import type { Request } from "express"
import { type ExpressApplication, expressExchange } from "./expressExchange.ts"

/** A batch endpoint: the handler for `app.post(path, handler)`. */
export interface ExpressBatchHandler {
  (request: IncomingMessage, response: ServerResponse, next?: (error: unknown) => void): void
  /** The handler for `app.get(path, handler.describe)`: it returns the limits and strategies of the endpoint. */
  readonly describe: (request: IncomingMessage, response: ServerResponse) => void
}

/** Options of a JSON batch endpoint on Express. */
export interface ExpressRequestsOptions extends RequestsOptions<Request>, Pick<ExchangeOptions, "preParsed"> {}

/** Creates the batch endpoints of an Express application. */
export interface ExpressBatch {
  /** Creates an endpoint that runs one action of a resource on many items. */
  readonly bulk: <Actions extends ActionTypes, Name extends keyof Actions & string>(
    resource: Resource<Actions>,
    action: Name,
    options?: BulkOptions<Request, BulkItemOf<Actions, Name>>,
  ) => ExpressBatchHandler
  /** Creates an endpoint that runs different actions of one resource. */
  readonly operations: <Actions extends ActionTypes>(
    resource: Resource<Actions>,
    options?: OperationsOptions<Request, SentOperationOf<Actions>>,
  ) => ExpressBatchHandler
  /** Creates an endpoint for a JSON batch, whose sub-requests run through the whole application `app`. */
  readonly requests: (app: ExpressApplication, options?: ExpressRequestsOptions) => ExpressBatchHandler
  /**
   * The handler with which clients poll, read and cancel their jobs, for `app.use(path, batch.jobs)`. The path must be that
   * of the option `jobs.url`. Reading the property throws a `TypeError` if `jobs` is not configured.
   */
  readonly jobs: (request: IncomingMessage, response: ServerResponse, next?: (error: unknown) => void) => void
  /** Stops the job worker: waits for running chunks up to `jobs.shutdownTimeout`, then aborts them. */
  readonly close: () => Promise<void>
}

/**
 * Returns the functions that create batch endpoints for Express.
 *
 * **Example** (Three endpoints)
 * ```ts
 * const batch = expressBatch({ limits: { operations: 500 } })
 * app.post("/api/v1/users/bulk-create", batch.bulk(users, "create"))
 * app.post("/api/v1/users/batch", batch.operations(users))
 * app.post("/api/v1/batch", batch.requests(app))
 * ```
 *
 * **Gotchas** Mount the endpoints before `express.json()`. Otherwise the parser reads the body and the parser's limits
 * apply instead of the endpoint's. The endpoint then uses the parsed body and emits one process warning.
 */
export const expressBatch = (options: BatchOptions<Request> = {}): ExpressBatch => {
  const batch = createBatch<Request>(options, nodePlatform)
  return {
    bulk: (resource, action, endpointOptions) => toHandler(batch.bulk(resource, action, endpointOptions)),
    operations: (resource, endpointOptions) => toHandler(batch.operations(resource, endpointOptions)),
    requests: (app, { preParsed, ...endpointOptions } = {}) => {
      checkApplication(app)
      const exchange = expressExchange(app, { preParsed })
      const endpoint = batch.requests(
        ({ json, ...request }, call, { request: outer }) =>
          send(exchange, { ...request, parsed: json }, outer as IncomingMessage, (abort) => call.onAbort(abort)),
        endpointOptions,
      )
      return toHandler(endpoint)
    },
    get jobs() {
      const { jobs } = batch
      if (jobs === undefined) throw new TypeError('This batch has no jobs: pass the option "jobs" to expressBatch')
      return toListener(jobs)
    },
    close: batch.close,
  }
}

// A router is a function too, but its sub-requests would lack Express's methods, such as `response.json`.
const checkApplication = (app: unknown): void => {
  if (typeof app === "function" && "request" in app && "response" in app) return
  throw new TypeError(
    "batch.requests() needs the Express application that sub-requests run through, not a router: call batch.requests(app) with app = express()",
  )
}

const toListener =
  ({ handle }: Pick<Endpoint, "handle">) =>
  (request: IncomingMessage, response: ServerResponse, onError?: (error: unknown) => void): void => {
    // An error of writing, such as a header that Node refuses, goes to the application's error handler.
    handle(toHttpRequest(request, response))
      .then((answer) => writeAnswer(request, response, answer))
      .catch((error: unknown) => (onError === undefined ? response.destroy() : onError(error)))
  }

const toHandler = (endpoint: Endpoint): ExpressBatchHandler =>
  Object.assign(toListener(endpoint), {
    describe: (request: IncomingMessage, response: ServerResponse) =>
      writeAnswer(request, response, endpoint.describe()),
  })

const toHttpRequest = (request: IncomingMessage, response: ServerResponse): HttpRequest => ({
  method: request.method ?? "GET",
  url: originalUrl(request),
  route: routeOf(request),
  headers: request.headers,
  body: bodyOf(request),
  isSubRequest: isSubRequest(request),
  signal: disconnectSignal(response),
  raw: request,
})

// Express removes the path of a mounted router from `url`.
const originalUrl = (request: IncomingMessage & { readonly originalUrl?: string }): string | undefined =>
  request.originalUrl ?? request.url

// The path of a mounted router is known as it was sent, the path of the route as it was declared.
const routeOf = (request: IncomingMessage & Partial<Pick<Request, "baseUrl" | "route">>): string | undefined => {
  const path: unknown = (request.route as { readonly path?: unknown } | undefined)?.path
  return path === undefined ? undefined : `${request.baseUrl ?? ""}${String(path)}`
}

// The body is parsed only if a parser has read the stream to its end. A parser may skip a body because of its headers.
const bodyOf = (request: IncomingMessage & { readonly body?: unknown }): HttpBody => {
  if (!request.readableEnded || request.body === undefined) return { _tag: "Stream", bytes: bytesOf(request) }
  warnOfParser()
  const { body } = request
  const bytes = typeof body === "string" ? Buffer.from(body) : body
  return bytes instanceof Uint8Array
    ? { _tag: "Stream", bytes: ReadableStream.from([bytes]) as unknown as AsyncIterable<Uint8Array> }
    : { _tag: "Parsed", value: body }
}

let hasWarned = false

const warnOfParser = (): void => {
  if (hasWarned) return
  hasWarned = true
  process.emitWarning(
    "A body parser runs before a batch endpoint, so the parser's limits apply instead of the endpoint's: mount the endpoint before express.json()",
    { type: "MultistatusWarning", code: "MULTISTATUS_BODY_PARSED" },
  )
}
