/**
 * The client's preferences: the `Prefer` header (RFC 7240). Preferences that are not known are ignored, unless the client
 * asks for `handling=strict`.
 */
import * as Result from "effect/Result"
import { BatchError } from "../batch/BatchError.ts"
import type { HeadersInput } from "../batch/Headers.ts"
import type { ReturnPreference } from "../batch/Codec.ts"

/** Reads the preference `return` (RFC 7240, section 4.2); undefined without one. The first one counts (section 2). */
export const returnPreference = (headers: HeadersInput): ReturnPreference | undefined => {
  const value = read(headers)?.get("return")?.toLowerCase()
  return value === "minimal" || value === "representation" ? value : undefined
}

/** Whether the client prefers an asynchronous response (section 4.1). */
export const respondAsync = (headers: HeadersInput): boolean => read(headers)?.get("respond-async") === ""

/** Reads how many seconds the client is willing to wait (section 4.3); undefined without a preference. */
export const wait = (headers: HeadersInput): number | undefined => {
  const value = read(headers)?.get("wait")
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined
}

/** Preferences that an endpoint can apply. */
export interface Supported {
  readonly return: boolean
  readonly "respond-async": boolean
}

/**
 * Checks preferences that are to be handled strictly (section 4.4). Fails with the first one that the endpoint cannot apply;
 * succeeds with whether the client asks for strict handling.
 */
export const checkStrict = (headers: HeadersInput, supported: Supported): Result.Result<boolean, BatchError> => {
  const preferences = read(headers)
  if (preferences?.get("handling")?.toLowerCase() !== "strict") return Result.succeed(false)
  for (const [name, value] of preferences) {
    if (!isApplied(name, headers, supported)) return Result.fail(unsupported(value === "" ? name : `${name}=${value}`))
  }
  return Result.succeed(true)
}

const isApplied = (name: string, headers: HeadersInput, supported: Supported): boolean => {
  if (name === "handling") return true
  if (name === "wait") return wait(headers) !== undefined
  if (name === "respond-async") return supported["respond-async"] && respondAsync(headers)
  return name === "return" && supported.return && returnPreference(headers) !== undefined
}

const unsupported = (preference: string): BatchError =>
  BatchError.invalid(
    "INVALID_BATCH",
    `The endpoint cannot apply the preference ${JSON.stringify(preference)}: remove it, or "handling=strict"`,
  )

// The values by name in lower case. Parameters of a preference count as preferences of their own, as clients write
// `respond-async; wait=10`.
const read = ({ prefer }: HeadersInput): ReadonlyMap<string, string> | undefined => {
  const text = typeof prefer === "string" ? prefer : prefer?.join(",")
  if (text === undefined || text === "") return undefined
  const preferences = new Map<string, string>()
  for (const part of text.split(/[,;]/)) {
    const equals = part.indexOf("=")
    const name = (equals === -1 ? part : part.slice(0, equals)).trim().toLowerCase()
    const value = equals === -1 ? "" : part.slice(equals + 1).trim()
    const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"')
    if (name !== "" && !preferences.has(name)) preferences.set(name, isQuoted ? value.slice(1, -1) : value)
  }
  return preferences
}
