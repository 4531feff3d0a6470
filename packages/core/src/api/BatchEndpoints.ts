/** The endpoints of an application, as promises. */
import type { Send } from "../formats/requests/SubRequestDispatcher.ts"
import type { HttpRequest, HttpResponse } from "../http/HttpMessage.ts"
import type { ActionTypes } from "../resources/ActionTypes.ts"
import type { Resource } from "../resources/Resource.ts"
import type { BulkItemOf, BulkOptions } from "./BulkOptions.ts"
import type { OperationsOptions, SentOperationOf } from "./OperationsOptions.ts"
import type { RequestsOptions } from "./RequestsOptions.ts"

/** A batch endpoint. */
export interface Endpoint {
  /** Answers a batch; never rejects. */
  readonly handle: (request: HttpRequest) => Promise<HttpResponse>
  /** Returns a response that describes the endpoint: its limits, strategies and quota. */
  readonly describe: () => HttpResponse
}

/** The endpoint at which clients poll, read and cancel their jobs. */
export interface JobsEndpoint {
  /** Path, or whole URL, of the endpoint, as clients see it. */
  readonly url: string
  /** Answers a request; never rejects. */
  readonly handle: (request: HttpRequest) => Promise<HttpResponse>
}

/** Makes endpoints that share one engine, one quota and one concurrency limit. */
export interface BatchEndpoints<Request = unknown> {
  /** Makes a bulk endpoint: one action, many items. */
  readonly bulk: <Actions extends ActionTypes, Name extends keyof Actions & string>(
    resource: Resource<Actions>,
    action: Name,
    options?: BulkOptions<Request, BulkItemOf<Actions, Name>>,
  ) => Endpoint
  /** Makes an operations endpoint: mixed actions on one resource. */
  readonly operations: <Actions extends ActionTypes>(
    resource: Resource<Actions>,
    options?: OperationsOptions<Request, SentOperationOf<Actions>>,
  ) => Endpoint
  /** Makes a JSON batch: sub-requests to the host application, which `send` reaches. */
  readonly requests: (send: Send, options?: RequestsOptions<Request>) => Endpoint
  /** Answers `GET /{id}`, `/{id}/results`, `/{id}/events` and `DELETE /{id}` under its `url`; undefined without jobs. */
  readonly jobs: JobsEndpoint | undefined
  /**
   * Waits for running chunks of jobs, at most `jobs.shutdownTimeout`, and aborts what still runs. Do not use the endpoints
   * afterwards.
   */
  readonly close: () => Promise<void>
}
