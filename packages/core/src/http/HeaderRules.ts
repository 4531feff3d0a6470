/**
 * Rules for the headers of sub-requests: which headers of the outer request they inherit, and which they may set
 * themselves. Names are compared in lower case.
 */
import * as Result from "effect/Result"
import type { HeaderRecord, HeadersInput } from "../batch/Headers.ts"

/** Which outer headers reach sub-requests, which headers identify the caller, and which ones a sub-request may set. */
export interface HeaderRulesOptions {
  /** Outer headers, in addition to the standard ones, that every sub-request inherits. Default `[]`. */
  readonly inherit?: ReadonlyArray<string> | undefined
  /**
   * Headers, in addition to `content-*`, `accept*`, `if-*`, `prefer`, `range`, `idempotency-key` and `traceparent`, that a
   * sub-request may set. They override inherited ones. Default `[]`.
   */
  readonly allow?: ReadonlyArray<string> | undefined
  /** Headers, in addition to `authorization` and `cookie`, that identify the caller, such as `x-api-key`. Default `[]`. */
  readonly credentials?: ReadonlyArray<string> | undefined
  /** Whether a sub-request may set credentials of its own. Default `false`. */
  readonly ownCredentials?: boolean | undefined
}

const inheritedByDefault = ["accept-language", "traceparent", "tracestate", "user-agent", "x-request-id"]
const defaultCredentials = ["authorization", "cookie"]

/** Headers that a sub-request may always set: content, negotiation, conditions and preferences. */
const standardOwn = /^(?:content-.+|accept|accept-.+|if-.+|prefer|range|idempotency-key|traceparent)$/

// A proxy in front of the host sets these, or they change which route a request reaches. No option allows them.
const isProxyHeader = (name: string): boolean => proxyHeaders.has(name) || name.startsWith("x-forwarded-")

const proxyHeaders = new Set([
  "forwarded",
  "x-real-ip",
  "x-http-method-override",
  "x-http-method",
  "x-method-override",
  "x-original-url",
  "x-rewrite-url",
])

// Outer headers that name the client's address; a sub-request comes from the same client.
const isAddressHeader = (name: string): boolean => addressHeaders.has(name) || name.startsWith("x-forwarded-")

const addressHeaders = new Set([
  "forwarded",
  "x-real-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "true-client-ip",
  "cf-connecting-ip",
  "fastly-client-ip",
])

const isConnectionHeader = (name: string): boolean => connectionHeaders.has(name) || name.startsWith("proxy-")

const connectionHeaders = new Set([
  "connection",
  "keep-alive",
  "host",
  "content-length",
  "transfer-encoding",
  "expect",
  "te",
  "trailer",
  "upgrade",
  "http2-settings",
])

/** The rules of one endpoint. */
export interface HeaderRules {
  /** Returns the headers that every sub-request of a batch inherits. */
  readonly inherit: (outer: HeadersInput) => HeaderRecord
  /** Returns why a sub-request may not set a header, as the end of a sentence; undefined if it may. `name` is in lower case. */
  readonly refusal: (name: string) => string | undefined
}

/**
 * Creates the rules of one endpoint. Throws a `TypeError` if `allow` has a header that a sub-request can never set, such as
 * `host` or `x-forwarded-for`.
 */
export const make = (options: HeaderRulesOptions = {}): HeaderRules => {
  const lowerCaseSet = (...lists: ReadonlyArray<ReadonlyArray<string>>) =>
    new Set(lists.flat().map((name) => name.toLowerCase()))
  const credentials = lowerCaseSet(defaultCredentials, options.credentials ?? [])
  const inherited = lowerCaseSet(inheritedByDefault, options.inherit ?? [])
  const allowed = lowerCaseSet(options.allow ?? [])
  for (const name of allowed) {
    if (!isConnectionHeader(name) && !isProxyHeader(name)) continue
    throw new TypeError(`"headers.allow": a sub-request can never set the header "${name}". Remove it from the list`)
  }
  return {
    inherit: (outer) => {
      const headers: Record<string, string> = Object.create(null)
      for (const name of Object.keys(outer)) {
        const value = outer[name]
        if (value === undefined || isConnectionHeader(name)) continue
        if (!(inherited.has(name) || credentials.has(name) || isAddressHeader(name))) continue
        headers[name] = typeof value === "string" ? value : value.join(name === "cookie" ? "; " : ", ")
      }
      return headers
    },
    refusal: (name) => {
      if (isConnectionHeader(name)) return "is set by the endpoint: remove it"
      if (isProxyHeader(name)) return "is taken from the batch's own request only: remove it"
      if (allowed.has(name)) return undefined
      if (credentials.has(name)) {
        return options.ownCredentials === true
          ? undefined
          : `is taken from the batch's own request: remove it, or allow it with the option "headers.ownCredentials"`
      }
      return standardOwn.test(name)
        ? undefined
        : `is not one that a sub-request may set: remove it, or allow it with the option "headers.allow"`
    },
  }
}

/**
 * Checks the headers of a sub-request; fails with an error message. A header whose value is null is absent.
 *
 * **Details** A name must be a token (RFC 9110, section 5.6.2) and one that the rules allow. It must not appear twice, in any
 * letter case. For values see `isValue`.
 */
export const check = (headers: unknown, rules: HeaderRules): Result.Result<HeaderRecord, string> => {
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) {
    return Result.fail(`"headers" must be an object of strings`)
  }
  const checked: Record<string, string> = Object.create(null)
  for (const [sentName, value] of Object.entries(headers)) {
    const name = sentName.toLowerCase()
    // Test the name as it was sent: `toLowerCase` turns U+212A (the Kelvin sign), which is no token character, into "k".
    if (!/^[!#$%&'*+.^_`|~0-9a-zA-Z-]+$/.test(sentName) || name === "__proto__") {
      return Result.fail(`${JSON.stringify(sentName)} is not a valid header name`)
    }
    if (value === null) continue
    if (typeof value !== "string") return Result.fail(`The header "${sentName}" must be a string`)
    if (!isValue(value)) return Result.fail(invalidValue(sentName))
    if (name in checked) return Result.fail(`The header "${sentName}" appears twice`)
    const refusal = rules.refusal(name)
    if (refusal !== undefined) return Result.fail(`The header "${sentName}" ${refusal}`)
    checked[name] = value.trim()
  }
  return Result.succeed(checked)
}

/** Whether a text may be the value of a header: no control characters, none beyond Latin-1 (RFC 9110, section 5.5). */
export const isValue = (text: string): boolean => !/[^\t\u0020-\u007e\u0080-\u00ff]/.test(text)

/** The message for a value that is not one. */
export const invalidValue = (name: string): string =>
  `The header "${name}" contains a character that is not allowed in header values`

/**
 * Returns an error message if a URL and headers take more than `limit` bytes on the wire (RFC 9112); undefined otherwise. The
 * method and the protocol version do not count.
 */
export const tooLarge = (url: string, headers: HeaderRecord, limit: number): string | undefined => {
  let bytes = url.length
  // A value is Latin-1: one byte for each character. `: ` and the line break take four.
  for (const name in headers) bytes += name.length + headers[name]!.length + 4
  return bytes > limit ? `The URL and the headers have ${bytes} bytes, at most ${limit} are allowed` : undefined
}
