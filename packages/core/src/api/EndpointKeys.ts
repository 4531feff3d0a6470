/** The idempotency keys that clients send to an endpoint: what keeps them apart, and whether there are any. */
import type { Codec, Envelope } from "../batch/Codec.ts"
import type { HttpRequest } from "../http/HttpMessage.ts"
import * as RequestTarget from "../http/RequestTarget.ts"

/**
 * Returns the scope of an endpoint's keys: its name, the route it is mounted at, and the path as the client sent it, with
 * the query if `includesQuery`. Undefined if the request has no URL.
 *
 * **Details** The path is not normalised: it may name a tenant in letters whose case counts.
 */
export const scopeOf = (
  { url, route = "" }: Pick<HttpRequest, "url" | "route">,
  endpoint: string,
  includesQuery: boolean,
): string | undefined => {
  if (url === undefined) return undefined
  const target = RequestTarget.originForm(url)
  return `${endpoint} ${route} ${includesQuery ? target : RequestTarget.pathOf(target)}`
}

type Format = Pick<Codec<unknown>, "kind" | "list">

/** Returns whether a batch has a key of its own or in its operations. */
export const areSent = (
  { headers }: Pick<HttpRequest, "headers">,
  { value }: Pick<Envelope, "value">,
  format: Format,
): boolean => headers["idempotency-key"] !== undefined || areInOperations(value, format)

/** Returns whether operations of a batch have keys of their own. */
export const areInOperations = (value: unknown, { kind, list }: Format): boolean => {
  const items = (value as Readonly<Record<string, unknown>>)[list]
  if (!Array.isArray(items) || (kind !== "operations" && kind !== "requests")) return false
  return kind === "operations" ? items.some(hasMember) : items.some(hasHeader)
}

const hasMember = (item: { readonly idempotency_key?: unknown } | null): boolean =>
  item?.idempotency_key !== undefined && item.idempotency_key !== null

const hasHeader = (item: { readonly headers?: unknown } | null): boolean => {
  const headers = item?.headers
  if (typeof headers !== "object" || headers === null) return false
  return Object.keys(headers).some((name) => name.toLowerCase() === "idempotency-key")
}
