/** How replies of sub-requests are kept for replay: their status, the headers that a client needs, their body. */
import type { Reply } from "../domain/SubRequest.ts"
import type { ValueFormat } from "../ports/Codec.ts"

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
 *
 * @category constructors
 * @since 0.1.0
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
      return { s: status, h, ...(isText ? { t: text } : { b: toBase64(body) }) } satisfies Kept
    },
    stub: (value) => {
      const { status, headers } = value as Reply
      const location = headers["location"]
      return { s: status, h: location === undefined ? {} : { location } } satisfies Kept
    },
    fromJson: (json) => {
      // Without a body: it was too large to be kept, and all that is left of it is that there was one.
      const { s = 200, h = {}, t, b } = json as Partial<Kept>
      const body = b === undefined ? encoder.encode(t ?? "") : Uint8Array.from(atob(b), (byte) => byte.charCodeAt(0))
      return { status: s, headers: h, body, text: t ?? new TextDecoder().decode(body) } satisfies Reply
    },
  }
}

const sameBytes = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, index) => byte === other[index])

const toBase64 = (bytes: Uint8Array): string => {
  let binary = ""
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000))
  return btoa(binary)
}
