/**
 * What both hosts check before a route runs.
 */
import type { IncomingHttpHeaders } from "node:http"

import { HostRefusal } from "./Problem.ts"

/**
 * The tenant that a request's `X-Api-Key` names, `demo` without one. The key `blocked` is refused, and so are several keys.
 */
export const tenantOf = (headers: IncomingHttpHeaders): string => {
  const key = headers["x-api-key"] ?? "demo"
  const tenant = Array.isArray(key) ? key.join() : key
  if (tenant === "blocked") throw new HostRefusal("UNAUTHORIZED", "This API key is blocked")
  // Node joins the headers of a request that sends two.
  if (tenant.includes(",")) throw new HostRefusal("UNAUTHORIZED", "Send one API key")
  return tenant
}

/** Refuses a body that is not plain JSON in UTF-8, so that both frameworks' parsers see the same. */
export const requireJson = (headers: IncomingHttpHeaders): void => {
  if (!hasBody(headers)) return
  if (json.test(headers["content-type"] ?? "") && (headers["content-encoding"] ?? "identity") === "identity") return
  throw new HostRefusal("UNSUPPORTED_MEDIA_TYPE", "The body must be application/json in UTF-8")
}

/** Whether a request announces a body that is not empty. */
export const hasBody = (headers: IncomingHttpHeaders): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0

const json = /^\s*application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i

/** What is thrown where no route answers. */
export const routeNotFound = (method: string, url: string): HostRefusal =>
  new HostRefusal("NOT_FOUND", `Nothing answers ${method} ${url.split("?", 1)[0]}`)
