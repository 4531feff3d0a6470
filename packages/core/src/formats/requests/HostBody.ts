/** The body that the host receives: JSON, text, or bytes that the client has sent as base64. */
import * as Result from "effect/Result"
import type { HeaderRecord } from "../../batch/Headers.ts"
import { isJsonType } from "../../http/MediaType.ts"
import * as Base64 from "../../platform/Base64.ts"

/** How a body is written in the batch, by its headers. */
export type BodyForm = "json" | "text" | "base64"

/** Returns the form of a body. It is the form that the body of a reply with these headers has, too. */
export const formOf = (headers: HeaderRecord): BodyForm => {
  const coding = headers["content-encoding"]
  if (coding !== undefined && !/^(?:\s*|identity)$/i.test(coding)) return "base64"
  const type = headers["content-type"]
  if (type === undefined || isJsonType(type)) return "json"
  return /^text\//i.test(type) ? "text" : "base64"
}

/** Checks the value of a body against its form; fails with an error message. */
export const check = (value: unknown, headers: HeaderRecord): Result.Result<void, string> => {
  const form = formOf(headers)
  if (form === "json") return Result.succeed(undefined)
  const described = headers["content-encoding"] ?? headers["content-type"]
  if (typeof value !== "string") return Result.fail(`"body" must be a string, because it is ${described}`)
  return form === "text" || isBase64(value)
    ? Result.succeed(undefined)
    : Result.fail(`"body" must be base64, because it is ${described}: encode its bytes`)
}

/** Makes the host's body of a value that was checked, and is not JSON. */
export const make = (value: string, form: Exclude<BodyForm, "json">): string | Uint8Array =>
  form === "text" ? value : Base64.decode(value.replaceAll("-", "+").replaceAll("_", "/"))

// Both alphabets, with or without padding: Graph clients write base64url (RFC 4648, sections 4 and 5).
const isBase64 = (text: string): boolean => {
  const padded = /^[\w+/-]*(={0,2})$/.exec(text)
  if (padded === null) return false
  return padded[1] === "" ? text.length % 4 !== 1 : text.length % 4 === 0
}
