/**
 * How replies of sub-requests are kept for replay: their status, the headers that a client needs, their body. And what
 * makes a sub-request the same as an earlier one.
 */
import * as Predicate from "effect/Predicate"
import * as Base64 from "../../platform/Base64.ts"
import type { Reply, SubRequest } from "./SubRequest.ts"
import type { ValueFormat } from "../../batch/Codec.ts"

const standing = ["content-type", "content-encoding", "content-language", "location", "etag"]

// Bodies are kept as text where they are, and else as bytes in base64.
interface Kept {
  readonly s: number
  readonly h: Readonly<Record<string, string | ReadonlyArray<string>>>
  readonly t?: string
  readonly b?: string
}

const encoder = new TextEncoder()

/**
 * The format of replies. Of their headers those on a list are kept: never `set-cookie`, dates, limits or traces, which
 * were the first request's own.
 */
export const storedReplies = (exposeHeaders: ReadonlyArray<string> = []): ValueFormat => {
  const kept = [...new Set([...standing, ...exposeHeaders.map((name) => name.toLowerCase())])]
  return {
    toJson: (value) => {
      const { status, headers, text, body } = value as Reply
      const h: Record<string, string | ReadonlyArray<string>> = {}
      for (const name of kept) {
        const header = headers[name]
        if (header !== undefined) h[name] = header
      }
      const isText = sameBytes(encoder.encode(text), body)
      return { s: status, h, ...(isText ? { t: text } : { b: Base64.encode(body) }) } satisfies Kept
    },
    stub: (value) => {
      const { status, headers } = value as Reply
      const location = headers["location"]
      return { s: status, h: location === undefined ? {} : { location } } satisfies Kept
    },
    fromJson: (json) => {
      if (!isKept(json)) throw new TypeError("This was not written as a reply")
      // Without a body: it was too large to be kept, and all that is left of it is that there was one.
      const { s, h, t, b } = json
      const body = b === undefined ? encoder.encode(t ?? "") : Base64.decode(b)
      return { status: s, headers: h, body, text: t ?? new TextDecoder().decode(body) } satisfies Reply
    },
    // Not its id, which only says which one of its batch it is.
    purpose: ({ input }) => {
      const { url, headers, body } = input as SubRequest
      return { url, body, headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !volatile.has(name))) }
    },
  }
}

// What a client sends anew with every attempt, and what changes nothing about the request.
const volatile = new Set([
  "idempotency-key",
  "traceparent",
  "tracestate",
  "baggage",
  "b3",
  "x-request-id",
  "x-correlation-id",
  "user-agent",
  "date",
])

const isKept = (json: unknown): json is Kept => {
  if (!Predicate.isObject(json)) return false
  const { s, h, t, b } = json as Partial<Record<keyof Kept, unknown>>
  return Number.isInteger(s) && Predicate.isObject(h) && isTextOrNone(t) && isTextOrNone(b)
}

const isTextOrNone = (value: unknown): boolean => value === undefined || typeof value === "string"

const sameBytes = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, index) => byte === other[index])
