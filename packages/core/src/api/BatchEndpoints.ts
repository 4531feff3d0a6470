/** The endpoints of an application, as promises. */
import type { Send } from "../formats/requests/SubRequestDispatcher.ts"
import type { HttpRequest, HttpResponse } from "../http/HttpMessage.ts"
import type { Resource } from "../resources/Resource.ts"
import type { BulkOptions } from "./BulkOptions.ts"
import type { OperationsOptions } from "./OperationsOptions.ts"
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
  readonly bulk: (resource: Resource, action: string, options?: BulkOptions<Request>) => Endpoint
  /** Makes an operations endpoint: mixed actions on one resource. */
  readonly operations: (resource: Resource, options?: OperationsOptions<Request>) => Endpoint
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
