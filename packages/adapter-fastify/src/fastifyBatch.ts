/** Batch endpoints for Fastify 5. */
import {
  type ActionTypes,
  type BulkItemOf,
  type SentOperationOf,
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
 * Adds batch endpoints to a Fastify instance.
 *
 * **Details** `bulk`, `operations` and `requests` add the routes `POST url` and `GET url/describe` to the instance whose
 * `batch` they are called on. The prefix and the hooks of that instance apply to them.
 */
export interface FastifyBatch {
  /** Adds an endpoint that runs one action of a resource on many items. */
  readonly bulk: <Actions extends ActionTypes, Name extends keyof Actions & string>(
    url: string,
    resource: Resource<Actions>,
    action: Name,
    options?: BulkOptions<FastifyRequest, BulkItemOf<Actions, Name>>,
  ) => void
  /** Adds an endpoint that runs different actions of one resource. */
  readonly operations: <Actions extends ActionTypes>(
    url: string,
    resource: Resource<Actions>,
    options?: OperationsOptions<FastifyRequest, SentOperationOf<Actions>>,
  ) => void
  /** Adds an endpoint for a JSON batch, whose sub-requests run through the whole application. */
  readonly requests: (url: string, options?: RequestsOptions<FastifyRequest>) => void
  /**
   * Adds the routes with which clients poll, read and cancel their jobs: `GET url/:id`, `GET url/:id/results`,
   * `GET url/:id/events` and `DELETE url/:id`. `url` is the path of the option `jobs.url` without the instance's prefix.
   * Throws a `TypeError` if `jobs` is not configured.
   */
  readonly jobs: (url: string) => void
}

declare module "fastify" {
  interface FastifyInstance {
    /** Adds batch endpoints to this instance. */
    readonly batch: FastifyBatch
  }
}

/**
 * The Fastify plugin that decorates an application with `batch`.
 *
 * **Example** (Three endpoints)
 * ```ts
 * await app.register(fastifyBatch, { limits: { operations: 500 } })
 * app.batch.bulk("/api/v1/users/bulk-create", users, "create")
 * app.batch.operations("/api/v1/users/batch", users)
 * app.batch.requests("/api/v1/batch")
 * ```
 *
 * **Details** The endpoints read their bodies themselves and apply their own limits. The instance's `bodyLimit` and content
 * type parsers do not apply to them; its hooks do. `app.close()` also closes the job worker.
 */
export const fastifyBatch: FastifyPluginAsync<BatchOptions<FastifyRequest>> = Object.assign(
  async (app: FastifyInstance, options: BatchOptions<FastifyRequest>) => {
    const batch = createBatch({ onUnexpected: logTo(app), ...withoutRegisterOptions(options) }, nodePlatform)
    const exchange = fastifyExchange(app)
    const sendThrough: Parameters<BatchEndpoints["requests"]>[0] = (request, call, { request: outer }) =>
      send(exchange, request, (outer as FastifyRequest).raw, (abort) => call.onAbort(abort))
    // A getter, so that endpoints are added to the instance whose `batch` is read.
    app.decorate("batch", {
      getter(this: FastifyInstance): FastifyBatch {
        return {
          bulk: (url, resource, action, endpointOptions) => {
            checkUrl(url, 'bulk("/users/bulk-create", users, "create")')
            mount(this, url, batch.bulk(resource, action, endpointOptions))
          },
          operations: (url, resource, endpointOptions) => {
            checkUrl(url, 'operations("/users/batch", users)')
            mount(this, url, batch.operations(resource, endpointOptions))
          },
          requests: (url, endpointOptions) => {
            checkUrl(url, 'requests("/batch")')
            mount(this, url, batch.requests(sendThrough, endpointOptions))
          },
          jobs: (url) => {
            checkUrl(url, 'jobs("/jobs")')
            if (batch.jobs === undefined) {
              throw new TypeError('This batch has no jobs: pass the option "jobs" to fastifyBatch')
            }
            mountJobs(this, url, batch.jobs)
          },
        }
      },
    })
    app.addHook("onClose", () => batch.close())
  },
  // As with fastify-plugin, the decorator is visible to the whole application.
  { [Symbol.for("skip-override")]: true, [Symbol.for("fastify.display-name")]: "@multistatus/adapter-fastify" },
)

const checkUrl = (url: unknown, example: string): void => {
  if (typeof url !== "string") {
    throw new TypeError(`The first argument must be the path of the endpoint, as in app.batch.${example}`)
  }
}

const logTo =
  (app: FastifyInstance): NonNullable<BatchOptions["onUnexpected"]> =>
  (error, origin) =>
    app.log.error({ err: error, ...origin }, "Batch or operation failed unexpectedly")

// Fastify passes its own options of `register` to the plugin, too. They apply to routes, and the plugin itself has none.
const withoutRegisterOptions = (options: BatchOptions<FastifyRequest>): BatchOptions<FastifyRequest> => {
  const { prefix, logLevel, logSerializers, ...batchOptions } = options as BatchOptions<FastifyRequest> &
    Readonly<Record<"prefix" | "logLevel" | "logSerializers", unknown>>
  for (const [name, value] of Object.entries({ prefix, logLevel, logSerializers })) {
    if (value === undefined) continue
    throw new TypeError(
      `"${name}" has no effect on fastifyBatch. Set it where the endpoints are added, as in app.register(async (api) => api.batch.requests("/batch"), { ${name}: … })`,
    )
  }
  return batchOptions
}

type Handle = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>

const mount = (app: FastifyInstance, url: string, endpoint: Endpoint): void =>
  addUnparsedRoutes(app, endpoint, (scope, handle) => {
    scope.post(url, handle)
    scope.get(`${url}/describe`, async (request, reply) => sendAnswer(request, reply, endpoint.describe()))
  })

const mountJobs = (app: FastifyInstance, url: string, jobs: JobsEndpoint): void =>
  addUnparsedRoutes(app, jobs, (scope, handle) => {
    scope.get(`${url}/:id`, handle)
    scope.delete(`${url}/:id`, handle)
    scope.get(`${url}/:id/results`, handle)
    scope.get(`${url}/:id/events`, handle)
  })

// The endpoints read bodies themselves, or ignore them: a client may send a content type without a body.
const addUnparsedRoutes = (
  app: FastifyInstance,
  endpoint: Pick<Endpoint, "handle">,
  addRoutes: (scope: FastifyInstance, handle: Handle) => void,
): void => {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null))
    const handle: Handle = async (request, reply) =>
      sendAnswer(request, reply, await endpoint.handle(toHttpRequest(request, reply)))
    // Fastify rejects an invalid media type before it calls a parser. The endpoint has its own response for that.
    scope.setErrorHandler(async (error: { readonly code?: unknown }, request, reply) => {
      if (error.code !== "FST_ERR_CTP_INVALID_MEDIA_TYPE") throw error
      return handle(request, reply)
    })
    addRoutes(scope, handle)
  })
}

const toHttpRequest = (request: FastifyRequest, reply: FastifyReply): HttpRequest => ({
  method: request.method,
  url: request.originalUrl,
  route: request.routeOptions.url,
  headers: request.headers,
  body: { _tag: "Stream", bytes: bytesOf(request.raw) },
  isSubRequest: isSubRequest(request.raw),
  signal: disconnectSignal(reply.raw),
  raw: request,
})

const sendAnswer = (
  request: FastifyRequest,
  reply: FastifyReply,
  response: ReturnType<Endpoint["describe"]>,
): FastifyReply => {
  if (response.close || response.stream !== undefined || reply.raw.destroyed) {
    reply.hijack()
    writeAnswer(request.raw, reply.raw, { ...response, headers: { ...reply.getHeaders(), ...response.headers } })
    return reply
  }
  // The body is sent as bytes, because Fastify adds a charset to text, which problem documents must not have.
  return reply.code(response.status).headers(response.headers).send(Buffer.from(response.body))
}
