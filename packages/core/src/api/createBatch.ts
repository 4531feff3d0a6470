/** The door for those who have never heard of Effect: plain objects in, promises out. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Bulk from "../formats/BulkCodec.ts"
import * as JsonBatch from "../formats/requests/JsonBatchCodec.ts"
import type { Listing } from "../batch/Codec.ts"
import type { StatusMode } from "../formats/MultiStatus.ts"
import * as Operations from "../formats/OperationsCodec.ts"
import * as ActionDispatcher from "../resources/ActionDispatcher.ts"
import { isIdentified, type Resource } from "../resources/Resource.ts"
import * as SubRequestDispatcher from "../formats/requests/SubRequestDispatcher.ts"
import * as HeaderRules from "../http/HeaderRules.ts"
import { BatchEngine } from "../engine/BatchEngine.ts"
import * as BatchMetrics from "../engine/BatchMetrics.ts"
import { AsyncContext, type RunInContext } from "../platform/AsyncContext.ts"
import type { Codec } from "../batch/Codec.ts"
import { CurrentDigest, type Digest } from "../platform/Digest.ts"
import * as ConcurrencyLimit from "./ConcurrencyLimit.ts"
import * as BatchEndpoint from "./BatchEndpoint.ts"
import * as BatchJobs from "../jobs/BatchJobs.ts"
import * as JobOptions from "../jobs/JobOptions.ts"
import { type BatchOptions, resolveOptions } from "./BatchOptions.ts"
import { checkBulk, checkOperations, checkRequests, checkResource } from "./EndpointOptions.ts"
import type { HttpRequest, HttpResponse } from "../http/HttpMessage.ts"
import { localStores } from "../quota/QuotaOptions.ts"

/** An endpoint that answers with promises. */
export interface Endpoint {
  /** Answers a batch; never rejects. */
  readonly handle: (request: HttpRequest) => Promise<HttpResponse>
  /** Answers what the endpoint accepts: limits, strategies. */
  readonly describe: () => HttpResponse
}

/** What the answers of bulk and operations endpoints look like. */
export interface AnswerOptions {
  /** Which results are listed: `all` (default), `failed`, or `failed+ids` with the ids of the others. */
  readonly results?: Listing | undefined
  /** Whether a success carries what the action returned, as `data`. Default false. */
  readonly data?: boolean | undefined
  /** `mixed` (default): 200 if every operation succeeded, else 207. Or always `200`, or always `207`. */
  readonly status?: StatusMode | undefined
}

/** Options of one bulk endpoint, above those that all endpoints share. */
export interface BulkOptions<Request = unknown> extends BatchOptions<Request>, AnswerOptions {
  /** What policies, metrics and jobs know the endpoint by. Default: `users.create`, of the resource and the action. */
  readonly name?: string | undefined
  /** Member that holds the items. Default: the name of the resource. */
  readonly list?: string | undefined
  /** Member that counts what was done. Default: the past of the action, `created`, `updated`, `deleted`, … */
  readonly count?: string | undefined
  /** The idempotency key of an item as it was sent; undefined for none. It must not throw. Default: items have none. */
  readonly idempotencyKey?: ((item: unknown) => unknown) | undefined
  /** HTTP status when every item succeeded. Default: 201 for `create`, else 200. */
  readonly successStatus?: number | undefined
  /** Items with the same key run in request order among themselves. Default: their `id`. */
  readonly orderBy?:
    | ((item: { readonly id: string | undefined; readonly data: unknown }) => string | undefined)
    | undefined
}

/** Options of one operations endpoint, above those that all endpoints share. */
export interface OperationsOptions<Request = unknown> extends BatchOptions<Request>, AnswerOptions {
  /** What policies, metrics and jobs know the endpoint by. Default: the name of the resource. */
  readonly name?: string | undefined
  /** Operations with the same key run in request order among themselves. Default: their `id`. */
  readonly orderBy?: Operations.OrderBy | undefined
}

/** Options of one JSON batch, above those that all endpoints share. */
export interface RequestsOptions<Request = unknown> extends BatchOptions<Request> {
  /** Which headers sub-requests get. */
  readonly headers?: HeaderRules.HeaderRulesOptions | undefined
  /** Headers of replies, beside `location`, `etag` and `retry-after`, that are shown to the client. */
  readonly exposeHeaders?: ReadonlyArray<string> | undefined
  /**
   * Tells of a route whether it writes through the transaction it is run in. Those that do not cannot be rolled back,
   * and are refused within atomic batches and groups. Default: all routes are trusted to.
   */
  readonly requireTransaction?: SubRequestDispatcher.SubRequestsOptions["requireTransaction"]
  /** Whether every sub-response with a body names its `Content-Type`, as clients of Graph need it. Default false. */
  readonly contentType?: boolean | undefined
}

/** Where clients follow, read and stop their jobs. */
export interface JobsEndpoint {
  /** The path, or the whole url, that clients are told. */
  readonly url: string
  /** Answers a request; never rejects. */
  readonly handle: (request: HttpRequest) => Promise<HttpResponse>
}

/** Makes endpoints that share one engine and its limits. */
export interface BatchEndpoints<Request = unknown> {
  /** One action, many items. */
  readonly bulk: (resource: Resource, action: string, options?: BulkOptions<Request>) => Endpoint
  /** Mixed actions on one resource. */
  readonly operations: (resource: Resource, options?: OperationsOptions<Request>) => Endpoint
  /** Sub-requests to the host application, which `send` reaches. */
  readonly requests: (send: SubRequestDispatcher.Send, options?: RequestsOptions<Request>) => Endpoint
  /** Answers `GET /{id}`, `/{id}/results`, `/{id}/events` and `DELETE /{id}` under the url of jobs; undefined without jobs. */
  readonly jobs: JobsEndpoint | undefined
  /** Lets the chunks of jobs end that run here, and stops what still runs. Endpoints must not be used afterwards. */
  readonly close: () => Promise<void>
}

/** What an adapter adds to the options of its users. */
export interface Platform {
  /** SHA-256 of a text, in base64url. Default: Web Crypto, which is slower where it is asynchronous. */
  readonly digest?: Digest | undefined
  /** Captures the asynchronous context of a request; on Node `AsyncLocalStorage.snapshot`. */
  readonly captureContext?: (() => RunInContext) | undefined
}

/**
 * Makes batch endpoints, neutral of frameworks: adapters convert requests and responses.
 *
 * **Details** Options are checked here: a wrong one throws a `TypeError` that names it. Options of an endpoint stand
 * above those of the whole, member by member.
 */
export const createBatch = <Request = unknown>(
  options: BatchOptions<Request> = {},
  { captureContext, digest }: Platform = {},
): BatchEndpoints<Request> => {
  const quotaStores = localStores()
  const shared = resolveOptions(options, quotaStores)
  const admission = ConcurrencyLimit.make(shared.limits)
  const context = captureContext === undefined ? Layer.empty : Layer.succeed(AsyncContext, captureContext)
  const hashing = digest === undefined ? Layer.empty : Layer.succeed(CurrentDigest, digest)
  const runtime = ManagedRuntime.make(Layer.mergeAll(BatchEngine.layer, context, hashing, logToStandardError))

  const onJobError =
    options.jobs?.onError ??
    ((error: unknown) =>
      void runtime.runFork(Effect.logWarning("Something of a job failed, and is tried again", error)))
  const jobs =
    options.jobs &&
    BatchJobs.make(
      JobOptions.resolveOptions(options.jobs, {
        hasUnitOfWork: options.unitOfWork !== undefined,
        operations: shared.limits.operations,
      }),
      digest ?? Context.get(Context.empty(), CurrentDigest),
      onJobError,
    )

  const endpoint = <Input>(
    name: string,
    makeCodec: (keyed: boolean) => Codec<Input>,
    dispatcher: BatchEndpoint.BatchEndpointOptions<Input>["dispatcher"],
    own: BatchOptions<Request>,
  ): Endpoint => {
    if (own.jobs !== undefined) throw new TypeError(`"jobs" are configured for all endpoints that are made together`)
    const settings = resolveOptions({ ...options, ...own, limits: { ...options.limits, ...own.limits } }, quotaStores)
    const codec = makeCodec(settings.idempotency !== undefined)
    const made = runtime.runSync(
      BatchEndpoint.make({
        ...settings,
        endpoint: name,
        metrics: BatchMetrics.recorder(name),
        codec,
        format: codec.format,
        dispatcher,
        concurrencyLimit: admission,
        jobs: "jobs" in own ? undefined : jobs,
      }),
    )
    // An effect that never fails is interrupted all the same where the engine is closed under it.
    const handle = (request: HttpRequest) => runtime.runPromise(made.handle(request)).catch(() => BatchEndpoint.died)
    return { handle, describe: made.describe }
  }

  return {
    bulk: (
      resource,
      action,
      { name, list, count, successStatus, idempotencyKey, orderBy, results, data, status, ...own } = {},
    ) => {
      checkBulk({ name, list, count, successStatus, idempotencyKey, orderBy, results, data, status })
      checkResource(resource)
      const definition = resource.actions.get(action)
      if (definition === undefined) {
        const known = [...resource.actions.keys()].join(", ")
        throw new TypeError(`The resource "${resource.name}" has no action "${action}"; it has: ${known}`)
      }
      const makeCodec = (keyed: boolean) =>
        Bulk.make({
          action,
          idempotencyKey: keyed ? idempotencyKey : undefined,
          list: list ?? resource.name,
          count: count ?? past(action),
          successStatus: successStatus ?? (action === "create" ? 201 : 200),
          identified: isIdentified(action, definition),
          orderBy,
          ...answer({ results, data, status }),
        })
      return endpoint(
        name ?? `${resource.name}.${action}`,
        makeCodec,
        (batch) => ActionDispatcher.make(resource, batch),
        own,
      )
    },
    operations: (resource, { name, orderBy, results, data, status, ...own } = {}) => {
      checkOperations({ name, orderBy, results, data, status })
      checkResource(resource)
      const makeCodec = (keyed: boolean) => Operations.make({ orderBy, keyed, ...answer({ results, data, status }) })
      return endpoint(name ?? resource.name, makeCodec, (batch) => ActionDispatcher.make(resource, batch), own)
    },
    requests: (send, { headers, exposeHeaders, contentType, requireTransaction, ...own } = {}) => {
      checkRequests({ headers, exposeHeaders, contentType, requireTransaction })
      if (typeof send !== "function") throw new TypeError("A JSON batch needs a function that sends its sub-requests")
      const rules = HeaderRules.make(headers)
      const operationBytes = own.limits?.operationBytes ?? shared.limits.operationBytes
      const makeCodec = (keyed: boolean) => JsonBatch.make({ headers: rules, keyed, exposeHeaders, contentType })
      return endpoint(
        "requests",
        makeCodec,
        (batch) => SubRequestDispatcher.make({ send, rules, requireTransaction, operationBytes }, batch),
        own,
      )
    },
    jobs: jobs && {
      url: jobs.settings.url,
      handle: async (request) => {
        try {
          return await jobs.routes(request, await options.tenant?.(request.raw as Request))
        } catch (error) {
          onJobError(error)
          return BatchEndpoint.died
        }
      },
    },
    close: async () => {
      await jobs?.close()
      await runtime.dispose()
    },
  }
}

// Standard output is the host's own.
const logToStandardError = Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])

const answer = ({ results, data, status }: AnswerOptions) => ({
  ...(results !== undefined && { listing: results }),
  ...(data !== undefined && { data }),
  ...(status !== undefined && { status }),
})

const past = (action: string): string => (action.endsWith("e") ? `${action}d` : `${action}ed`)
