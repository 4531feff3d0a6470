/**
 * The format in which replies to sub-requests are stored for replay: status, body and the headers that a client needs. It
 * also determines when two sub-requests are the same.
 */
import * as Predicate from "effect/Predicate"
import * as Problem from "../../http/Problem.ts"
import * as Base64 from "../../platform/Base64.ts"
import type { Reply, SubRequest } from "./SubRequest.ts"
import type { ValueFormat } from "../../batch/Codec.ts"

const alwaysStored = ["content-type", "content-encoding", "content-language", "location", "etag"]

// Bodies are stored as text (`t`) if they are valid UTF-8, and in base64 (`b`) otherwise. `s` is the status, `h` the headers.
interface StoredReply {
  readonly s: number
  readonly h: Readonly<Record<string, string | ReadonlyArray<string>>>
  readonly t?: string
  readonly b?: string
}

const encoder = new TextEncoder()

/**
 * Creates the format. Only listed headers are stored: cookies, dates, rate limits and trace ids belong to the first request
 * alone.
 */
export const storedReplies = (exposeHeaders: ReadonlyArray<string> = []): ValueFormat => {
  const storedNames = [...new Set([...alwaysStored, ...exposeHeaders.map((name) => name.toLowerCase())])]
  return {
    toJson: (value) => {
      const { status, headers, text, body, truncated } = value as Reply
      const h: Record<string, string | ReadonlyArray<string>> = {}
      for (const name of storedNames) {
        const header = headers[name]
        if (header !== undefined) h[name] = header
      }
      if (truncated === true) return { s: status, h } satisfies StoredReply
      const isText = sameBytes(encoder.encode(text), body)
      return { s: status, h, ...(isText ? { t: text } : { b: Base64.encode(body) }) } satisfies StoredReply
    },
    stub: (value) => {
      const { status, headers } = value as Reply
      const location = headers["location"]
      return { s: status, h: location === undefined ? {} : { location } } satisfies StoredReply
    },
    fromJson: (json) => {
      if (!isStoredReply(json)) throw new TypeError("The stored value is not a reply")
      const { s, h, t, b } = json
      if (t === undefined && b === undefined) return notKept(s, h)
      const body = b === undefined ? encoder.encode(t ?? "") : Base64.decode(b)
      return { status: s, headers: h, body, text: t ?? new TextDecoder().decode(body) } satisfies Reply
    },
    // Without the id, which only identifies the request within its batch.
    purpose: ({ input }) => {
      const { url, headers, body, bodyText } = input as SubRequest
      return {
        url,
        body,
        // Two numbers that differ in the text may be the same once they are parsed.
        ...(bodyText !== undefined && { bodyText }),
        headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !ignoredHeaders.has(name))),
      }
    },
  }
}

/** Says why the body of a stored reply is missing. */
export const bodyNotKept = "the body of the earlier response was too large to be stored"

// A stub has neither `t` nor `b`: its body was too large to be stored.
const notKept = (status: number, stored: StoredReply["h"]): Reply => {
  const { "content-encoding": _, ...headers } = stored
  const detail = `The request ran earlier with this status, but ${bodyNotKept}: read the resource instead`
  const text = JSON.stringify(Problem.make("RESULT_NOT_KEPT", status, detail))
  const body = encoder.encode(text)
  return { status, headers: { ...headers, "content-type": Problem.mediaType }, body, text, isBodyKept: false }
}

// Headers that differ between attempts, or do not change the meaning of the request.
const ignoredHeaders = new Set([
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

const isStoredReply = (json: unknown): json is StoredReply => {
  if (!Predicate.isObject(json)) return false
  const { s, h, t, b } = json as Partial<Record<keyof StoredReply, unknown>>
  return Number.isInteger(s) && Predicate.isObject(h) && isOptionalText(t) && isOptionalText(b)
}

const isOptionalText = (value: unknown): boolean => value === undefined || typeof value === "string"

const sameBytes = (left: Uint8Array, right: Uint8Array): boolean => {
  if (left.length !== right.length) return false
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false
  return true
}
