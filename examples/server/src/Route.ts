/**
 * A route, independent of the framework.
 */
import type { IncomingHttpHeaders } from "node:http"

/** A request as a route reads it. */
export interface RouteRequest {
  readonly method: string
  /** Path and query, not decoded. */
  readonly url: string
  /** The `:id` of the path; empty if the path has none. */
  readonly id: string
  readonly query: Readonly<Record<string, unknown>>
  readonly headers: IncomingHttpHeaders
  /** The client's address. */
  readonly address: string | undefined
  /** The parsed JSON; `undefined` without a body. */
  readonly body: unknown
}

/** The response of a route; errors are thrown. */
export interface RouteResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON; absent for an empty body. */
  readonly body?: unknown
  /** Sent as `text/html` instead of a JSON body. */
  readonly html?: string
}

/** A method, a path in the syntax that Express and Fastify share, and a handler. */
export interface Route {
  readonly method: "get" | "post" | "patch" | "delete"
  readonly path: string
  readonly answer: (request: RouteRequest) => RouteResponse | Promise<RouteResponse>
}
