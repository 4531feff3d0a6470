/** Batch endpoints for Express 4 and 5: two conversions, and a dispatch through the application itself. */
import type { IncomingMessage, ServerResponse } from "node:http"
import {
  type BatchOptions,
  type BulkOptions,
  type OperationsOptions,
  type RequestsOptions,
  type Resource,
} from "@multistatus/core"
import { createBatch, type Endpoint, type HttpBody, type HttpRequest } from "@multistatus/core/adapter"
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

/** A batch endpoint, for `app.post(path, handler)`; its `describe`, for `app.get`, answers what it accepts. */
export interface ExpressBatchHandler {
  (request: IncomingMessage, response: ServerResponse): void
  readonly describe: (request: IncomingMessage, response: ServerResponse) => void
}

/** Options of a JSON batch on Express. */
export interface ExpressRequestsOptions extends RequestsOptions<Request>, Pick<ExchangeOptions, "preParsed"> {}

/** What makes batch endpoints for an Express application. */
export interface ExpressBatch {
  /** One action, many items. */
  readonly bulk: (resource: Resource, action: string, options?: BulkOptions<Request>) => ExpressBatchHandler
  /** Mixed actions on one resource. */
  readonly operations: (resource: Resource, options?: OperationsOptions<Request>) => ExpressBatchHandler
  /** Sub-requests through the whole application `app`. */
  readonly requests: (app: ExpressApplication, options?: ExpressRequestsOptions) => ExpressBatchHandler
  /**
   * Where clients follow, read and stop their jobs, for `app.use(path, batch.jobs)`; the path is the `jobs.url` that clients
   * are told. Throws a `TypeError` where no jobs are configured.
   */
  readonly jobs: (request: IncomingMessage, response: ServerResponse) => void
  /** Lets the chunks of jobs end that run here, and stops what still runs. */
  readonly close: () => Promise<void>
}

/**
 * Makes batch endpoints for Express.
 *
 * **Example** (Three endpoints)
 * ```ts
 * const batch = expressBatch({ limits: { operations: 500 } })
 * app.post("/api/v1/users/bulk-create", batch.bulk(users, "create"))
 * app.post("/api/v1/users/batch", batch.operations(users))
 * app.post("/api/v1/batch", batch.requests(app))
 * ```
 *
 * **Gotchas** Mount the endpoints before `express.json()`: a body that was parsed already has been held to the parser's
 * limits, not to those of the endpoint. It is used as it is, and a warning says so once.
 */
export const expressBatch = (options: BatchOptions<Request> = {}): ExpressBatch => {
  const batch = createBatch<Request>(options, nodePlatform)
  return {
    bulk: (resource, action, own) => toHandler(batch.bulk(resource, action, own)),
    operations: (resource, own) => toHandler(batch.operations(resource, own)),
    requests: (app, { preParsed, ...own } = {}) => {
      const exchange = expressExchange(app, { preParsed })
      const endpoint = batch.requests(
        ({ json, ...request }, call, { request: outer }) =>
          send(exchange, { ...request, parsed: json }, outer as IncomingMessage, (abort) => call.onAbort(abort)),
        own,
      )
      return toHandler(endpoint)
    },
    get jobs() {
      const { jobs } = batch
      if (jobs === undefined) throw new TypeError(`There are no jobs to be mounted: configure "jobs"`)
      return toListener(jobs)
    },
    close: batch.close,
  }
}

const toListener =
  ({ handle }: Pick<Endpoint, "handle">) =>
  (request: IncomingMessage, response: ServerResponse): void =>
    void handle(toHttpRequest(request, response)).then((answer) => writeAnswer(request, response, answer))

const toHandler = (endpoint: Endpoint): ExpressBatchHandler =>
  Object.assign(toListener(endpoint), {
    describe: (request: IncomingMessage, response: ServerResponse) =>
      writeAnswer(request, response, endpoint.describe()),
  })

const toHttpRequest = (request: IncomingMessage, response: ServerResponse): HttpRequest => ({
  method: request.method ?? "GET",
  url: originalUrl(request),
  headers: request.headers,
  body: bodyOf(request),
  isSubRequest: isSubRequest(request),
  signal: disconnectSignal(response),
  raw: request,
})

// Express takes the path that a router is mounted at off `url`.
const originalUrl = (request: IncomingMessage & { readonly originalUrl?: string }): string | undefined =>
  request.originalUrl ?? request.url

// A parser in front has read the stream to its end; one that only looked at the headers has not.
const bodyOf = (request: IncomingMessage & { readonly body?: unknown }): HttpBody => {
  if (!request.readableEnded || request.body === undefined) return { _tag: "Stream", bytes: bytesOf(request) }
  warnOnce()
  const { body } = request
  const bytes = typeof body === "string" ? Buffer.from(body) : body
  return bytes instanceof Uint8Array
    ? { _tag: "Stream", bytes: ReadableStream.from([bytes]) as unknown as AsyncIterable<Uint8Array> }
    : { _tag: "Parsed", value: body }
}

let warned = false

const warnOnce = (): void => {
  if (warned) return
  warned = true
  process.emitWarning(
    "A body parser runs before a batch endpoint, so that its limits hold instead of the endpoint's: mount the endpoint before express.json()",
    { type: "MultistatusWarning", code: "MULTISTATUS_BODY_PARSED" },
  )
}
