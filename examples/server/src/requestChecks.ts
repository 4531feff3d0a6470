/**
 * The checks that both hosts make before a route runs.
 */
import type { IncomingHttpHeaders } from "node:http"

import { HostRefusal } from "./Problem.ts"

/**
 * The tenant of a request: the value of `X-Api-Key`, `demo` by default. Refuses the key `blocked`, and several keys.
 */
export const tenantOf = (headers: IncomingHttpHeaders): string => {
  const key = headers["x-api-key"] ?? "demo"
  const tenant = Array.isArray(key) ? key.join() : key
  if (tenant === "blocked") throw new HostRefusal("UNAUTHORIZED", "This API key is blocked")
  // Node joins repeated headers with a comma.
  if (tenant.includes(",")) throw new HostRefusal("UNAUTHORIZED", "Send one API key")
  return tenant
}

/** Refuses a body that is not plain JSON in UTF-8, so that the parsers of both frameworks read the same. */
export const requireJson = (headers: IncomingHttpHeaders): void => {
  if (!hasBody(headers)) return
  if (json.test(headers["content-type"] ?? "") && (headers["content-encoding"] ?? "identity") === "identity") return
  throw new HostRefusal("UNSUPPORTED_MEDIA_TYPE", "The body must be application/json in UTF-8")
}

/** Whether a request announces a body that is not empty. */
export const hasBody = (headers: IncomingHttpHeaders): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0

const json = /^\s*application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i

/** The error for a path that no route matches. */
export const routeNotFound = (method: string, url: string): HostRefusal =>
  new HostRefusal("NOT_FOUND", `Nothing answers ${method} ${url.split("?", 1)[0]}`)
