/**
 * Rules for the headers of sub-requests: which headers of the outer request they inherit, and which they may set
 * themselves. Names are compared in lower case.
 */
import * as Result from "effect/Result"
import type { HeaderRecord, HeadersInput } from "../batch/Headers.ts"

/** Which outer headers reach sub-requests, and which headers identify the caller. */
export interface HeaderRulesOptions {
  /** Outer headers, in addition to the standard ones, that every sub-request inherits. Default `[]`. */
  readonly inherit?: ReadonlyArray<string> | undefined
  /** Headers, in addition to `authorization` and `cookie`, that identify the caller, such as `x-api-key`. Default `[]`. */
  readonly credentials?: ReadonlyArray<string> | undefined
  /** Whether a sub-request may set credentials of its own. Default `false`. */
  readonly ownCredentials?: boolean | undefined
}

const inheritedByDefault = ["accept-language", "traceparent", "tracestate", "user-agent", "x-request-id"]
const defaultCredentials = ["authorization", "cookie"]

const addressHeaders = new Set([
  "forwarded",
  "x-real-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "true-client-ip",
  "cf-connecting-ip",
  "fastly-client-ip",
])
const overrideHeaders = new Set([
  "x-http-method-override",
  "x-http-method",
  "x-method-override",
  "x-original-url",
  "x-rewrite-url",
])
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

const isConnectionHeader = (name: string): boolean => connectionHeaders.has(name) || name.startsWith("proxy-")

const isAddressHeader = (name: string): boolean => addressHeaders.has(name) || name.startsWith("x-forwarded-")

/** The rules of one endpoint. */
export interface HeaderRules {
  /** Returns the headers that every sub-request of a batch inherits. */
  readonly inherit: (outer: HeadersInput) => HeaderRecord
  /** Whether a sub-request may set a header; `name` is in lower case. */
  readonly passes: (name: string) => boolean
}

/** Creates the rules of one endpoint. */
export const make = (options: HeaderRulesOptions = {}): HeaderRules => {
  const lowerCaseSet = (...lists: ReadonlyArray<ReadonlyArray<string>>) =>
    new Set(lists.flat().map((name) => name.toLowerCase()))
  const credentials = lowerCaseSet(defaultCredentials, options.credentials ?? [])
  const inherited = lowerCaseSet(inheritedByDefault, options.inherit ?? [])
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
    passes: (name) =>
      !isConnectionHeader(name) &&
      !isAddressHeader(name) &&
      !overrideHeaders.has(name) &&
      (options.ownCredentials === true || !credentials.has(name)),
  }
}

/**
 * Checks the headers of a sub-request and drops those that it may not set; fails with an error message.
 *
 * **Details** A name must be a token (RFC 9110, section 5.6.2). A value must be a string without control characters and
 * without characters beyond Latin-1 (section 5.5). A name must not appear twice, in any letter case.
 */
export const check = (headers: unknown, rules: HeaderRules): Result.Result<HeaderRecord, string> => {
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) {
    return Result.fail(`"headers" must be an object of strings`)
  }
  const checked: Record<string, string> = Object.create(null)
  const seen = new Set<string>()
  for (const [sentName, value] of Object.entries(headers)) {
    const name = sentName.toLowerCase()
    // Test the name as it was sent: `toLowerCase` turns U+212A (the Kelvin sign), which is no token character, into "k".
    if (!/^[!#$%&'*+.^_`|~0-9a-zA-Z-]+$/.test(sentName) || name === "__proto__") {
      return Result.fail(`${JSON.stringify(sentName)} is not a valid header name`)
    }
    if (typeof value !== "string") return Result.fail(`The header "${sentName}" must be a string`)
    if (/[^\t\u0020-\u007e\u0080-\u00ff]/.test(value)) {
      return Result.fail(`The header "${sentName}" contains a character that is not allowed in header values`)
    }
    if (seen.has(name)) return Result.fail(`The header "${sentName}" appears twice`)
    seen.add(name)
    if (rules.passes(name)) checked[name] = value.trim()
  }
  return Result.succeed(checked)
}
