/**
 * Which headers a sub-request gets: those of the outer request that are inherited, its own where they are allowed.
 * Names are compared in lower case, always.
 */
import * as Result from "effect/Result"
import type { Headers, HeadersInput } from "../batch/Headers.ts"

/** Which outer headers reach sub-requests, and which headers identify the caller. */
export interface HeaderRulesOptions {
  /** Outer headers, in addition to the standard ones, that every sub-request inherits. Default `[]`. */
  readonly inherit?: ReadonlyArray<string> | undefined
  /** Headers, in addition to `authorization` and `cookie`, that identify the caller, such as `x-api-key`. Default `[]`. */
  readonly credentials?: ReadonlyArray<string> | undefined
  /** Whether a sub-request may set credentials of its own. Default `false`. */
  readonly ownCredentials?: boolean | undefined
}

const inherited = ["accept-language", "traceparent", "tracestate", "user-agent", "x-request-id"]
const credentials = ["authorization", "cookie"]

const addresses = new Set([
  "forwarded",
  "x-real-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "true-client-ip",
  "cf-connecting-ip",
  "fastly-client-ip",
])
const overrides = new Set([
  "x-http-method-override",
  "x-http-method",
  "x-method-override",
  "x-original-url",
  "x-rewrite-url",
])
const ofTheConnection = new Set([
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

const isOfTheConnection = (name: string): boolean => ofTheConnection.has(name) || name.startsWith("proxy-")

const isAddress = (name: string): boolean => addresses.has(name) || name.startsWith("x-forwarded-")

/** The rules of one endpoint. */
export interface HeaderRules {
  /** What every sub-request of a batch inherits; worked out once per batch. */
  readonly inherit: (outer: HeadersInput) => Headers
  /** Whether a sub-request's own header of this lower-case name is passed on. */
  readonly passes: (name: string) => boolean
}

/** Makes the rules of one endpoint. */
export const make = (options: HeaderRulesOptions = {}): HeaderRules => {
  const callers = new Set([...credentials, ...(options.credentials ?? [])].map((name) => name.toLowerCase()))
  const passedOn = new Set([...inherited, ...(options.inherit ?? [])].map((name) => name.toLowerCase()))
  return {
    inherit: (outer) => {
      const headers: Record<string, string> = Object.create(null)
      for (const name of Object.keys(outer)) {
        const value = outer[name]
        if (value === undefined || isOfTheConnection(name)) continue
        if (!(passedOn.has(name) || callers.has(name) || isAddress(name))) continue
        headers[name] = typeof value === "string" ? value : value.join(name === "cookie" ? "; " : ", ")
      }
      return headers
    },
    passes: (name) =>
      !isOfTheConnection(name) &&
      !isAddress(name) &&
      !overrides.has(name) &&
      (options.ownCredentials === true || !callers.has(name)),
  }
}

/**
 * Checks the headers that a sub-request brings and drops those that it may not set; fails with what is wrong.
 *
 * **Details** A name is a token (RFC 9110, section 5.6.2), a value a string without control characters and beyond
 * Latin-1 nothing (section 5.5); the same name twice, in whatever letter case, is refused.
 */
export const check = (headers: unknown, rules: HeaderRules): Result.Result<Headers, string> => {
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) {
    return Result.fail(`"headers" must be an object of strings`)
  }
  const checked: Record<string, string> = Object.create(null)
  const seen = new Set<string>()
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase()
    // The name as it was given: lower case turns U+212A, which is no letter of a token, into a k.
    if (!/^[!#$%&'*+.^_`|~0-9a-zA-Z-]+$/.test(given) || name === "__proto__") {
      return Result.fail(`${JSON.stringify(given)} is not a name of a header`)
    }
    if (typeof value !== "string") return Result.fail(`the header "${given}" must be a string`)
    if (/[^\t\u0020-\u007e\u0080-\u00ff]/.test(value)) {
      return Result.fail(`the header "${given}" contains a character that no header may contain`)
    }
    if (seen.has(name)) return Result.fail(`the header "${given}" is there twice`)
    seen.add(name)
    if (rules.passes(name)) checked[name] = value.trim()
  }
  return Result.succeed(checked)
}
