/** Batch endpoints for Fastify 5: two conversions, and a dispatch through the instance's own routing. */
import {
  type BatchEndpoints,
  createBatch,
  type Endpoint,
  type HttpRequest,
  type JobsEndpoint,
} from "@multistatus/core/adapter"
import {
  type BatchOptions,
  type BulkOptions,
  type OperationsOptions,
  type RequestsOptions,
  type Resource,
} from "@multistatus/core"
import { bytesOf, disconnectSignal, isSubRequest, nodePlatform, send, writeAnswer } from "@multistatus/node-exchange"
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify"
import { fastifyExchange } from "./fastifyExchange.ts"

/**
 * What `app.batch` has: each adds `POST url` and `GET url/describe` to the instance it is called on, whose prefix and
 * hooks hold for them.
 */
export interface FastifyBatch {
  /** One action, many items. */
  readonly bulk: (url: string, resource: Resource, action: string, options?: BulkOptions<FastifyRequest>) => void
  /** Mixed actions on one resource. */
  readonly operations: (url: string, resource: Resource, options?: OperationsOptions<FastifyRequest>) => void
  /** Sub-requests through the whole application. */
  readonly requests: (url: string, options?: RequestsOptions<FastifyRequest>) => void
  /**
   * Where clients follow, read and stop their jobs: adds `GET url/:id`, `url/:id/results`, `url/:id/events` and
   * `DELETE url/:id`. `url` is the `jobs.url` that clients are told, without a prefix of the instance. Throws a
   * `TypeError` where no jobs are configured.
   */
  readonly jobs: (url: string) => void
}

declare module "fastify" {
  interface FastifyInstance {
    readonly batch: FastifyBatch
  }
}

/**
 * The plugin that gives an instance its `batch`.
 *
 * **Example** (Three endpoints)
 * ```ts
 * await app.register(fastifyBatch, { limits: { operations: 500 } })
 * app.batch.bulk("/api/v1/users/bulk-create", users, "create")
 * app.batch.operations("/api/v1/users/batch", users)
 * app.batch.requests("/api/v1/batch")
 * ```
 *
 * **Details** The endpoints read their bodies themselves, within their own limits: `bodyLimit` and content type parsers
 * of the instance do not concern them, its hooks do.
 */
export const fastifyBatch: FastifyPluginAsync<BatchOptions<FastifyRequest>> = Object.assign(
  async (app: FastifyInstance, options: BatchOptions<FastifyRequest>) => {
    const batch = createBatch({ onUnexpected: logTo(app), ...withoutPluginOptions(options) }, nodePlatform)
    const exchange = fastifyExchange(app)
    const sendThrough: Parameters<BatchEndpoints["requests"]>[0] = (request, call, { request: outer }) =>
      send(exchange, request, (outer as FastifyRequest).raw, (abort) => call.onAbort(abort))
    // A getter, so that endpoints stand in the scope that `batch` was asked of.
    app.decorate("batch", {
      getter(this: FastifyInstance): FastifyBatch {
        return {
          bulk: (url, resource, action, own) => mount(this, url, batch.bulk(resource, action, own)),
          operations: (url, resource, own) => mount(this, url, batch.operations(resource, own)),
          requests: (url, own) => mount(this, url, batch.requests(sendThrough, own)),
          jobs: (url) => {
            if (batch.jobs === undefined) throw new TypeError(`There are no jobs to be mounted: configure "jobs"`)
            mountJobs(this, url, batch.jobs)
          },
        }
      },
    })
    app.addHook("onClose", () => batch.close())
  },
  // What fastify-plugin does: the decorator is the whole application's.
  { [Symbol.for("skip-override")]: true, [Symbol.for("fastify.display-name")]: "@multistatus/adapter-fastify" },
)

const logTo =
  (app: FastifyInstance): NonNullable<BatchOptions["onUnexpected"]> =>
  (error, origin) =>
    app.log.error({ err: error, ...origin }, "A batch, or an operation of it, failed unexpectedly")

// Fastify hands its own option `prefix` on to the plugin.
const withoutPluginOptions = ({
  prefix: _,
  logLevel: __,
  logSerializers: ___,
  ...options
}: BatchOptions<FastifyRequest> & {
  readonly prefix?: unknown
  readonly logLevel?: unknown
  readonly logSerializers?: unknown
}) => options

const mount = (app: FastifyInstance, url: string, endpoint: Endpoint): void => {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null))
    const handle = async (request: FastifyRequest, reply: FastifyReply) =>
      answer(request, reply, await endpoint.handle(toHttpRequest(request, reply)))
    // Fastify refuses what is no media type at all before any parser; the endpoint has its own words for that.
    scope.setErrorHandler(async (error: { readonly code?: unknown }, request, reply) => {
      if (error.code !== "FST_ERR_CTP_INVALID_MEDIA_TYPE") throw error
      return handle(request, reply)
    })
    scope.post(url, handle)
    scope.get(`${url}/describe`, async (request, reply) => answer(request, reply, endpoint.describe()))
  })
}

const mountJobs = (app: FastifyInstance, url: string, jobs: JobsEndpoint): void => {
  const handle = async (request: FastifyRequest, reply: FastifyReply) =>
    answer(request, reply, await jobs.handle(toHttpRequest(request, reply)))
  app.get(`${url}/:id`, handle)
  app.delete(`${url}/:id`, handle)
  app.get(`${url}/:id/results`, handle)
  app.get(`${url}/:id/events`, handle)
}

const toHttpRequest = (request: FastifyRequest, reply: FastifyReply): HttpRequest => ({
  method: request.method,
  url: request.originalUrl,
  headers: request.headers,
  body: { _tag: "Stream", bytes: bytesOf(request.raw) },
  isSubRequest: isSubRequest(request.raw),
  signal: disconnectSignal(reply.raw),
  raw: request,
})

const answer = (
  request: FastifyRequest,
  reply: FastifyReply,
  response: ReturnType<Endpoint["describe"]>,
): FastifyReply => {
  if (response.close || response.stream !== undefined || reply.raw.destroyed) {
    reply.hijack()
    writeAnswer(request.raw, reply.raw, { ...response, headers: { ...reply.getHeaders(), ...response.headers } })
    return reply
  }
  // As bytes: Fastify would add a charset to text, which problem documents do not have.
  return reply.code(response.status).headers(response.headers).send(Buffer.from(response.body))
}
