/** The request of a sub-request, and its head in the form that Node's HTTP parser produces. */
import type { IncomingMessage } from "node:http"
import { forbidden, token } from "./headerSyntax.ts"

/**
 * A request to run in process.
 *
 * **Details**
 * Header names are in lower case. `host`, `content-length` and `transfer-encoding` in `headers` are ignored: the host is
 * that of the outer request, and the exchange frames the body. The method is in upper case, and `url` is a path with an
 * optional query. The exchange checks neither of the two; the caller must.
 */
export interface ExchangeRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string>>>
  /** The body. A function is called at most once, and only if the body is sent as a stream. */
  readonly body?: string | Uint8Array | (() => string | Uint8Array) | undefined
  /** The parsed JSON value of `body`. Only an exchange with `preParsed` uses it. */
  readonly parsed?: unknown
  /**
   * Asks before the next bytes of the reply's body are kept; default: all are kept. Once it returns false, the whole body is
   * dropped and the reply is `truncated`. The application writes the rest of it into the void.
   */
  readonly keep?: ((bytes: number) => boolean) | undefined
}

/**
 * The head of a request in the two forms that Node keeps: merged headers and the raw list.
 *
 * @internal
 */
export interface RequestHead {
  /** `undefined` if a header repeats: Node then merges the raw list by its own rules on first use. */
  readonly headers: Record<string, string> | undefined
  readonly raw: Array<string>
}

const isFraming = (name: string): boolean =>
  name === "host" || name === "content-length" || name === "transfer-encoding"

const expectsContent = (method: string): boolean => method === "POST" || method === "PUT" || method === "PATCH"

/**
 * Builds the head of a sub-request, or returns a message that says why it is invalid.
 *
 * **Details** Node's message objects do not validate headers, because its parser has done so for requests from a socket.
 * Without this check a line break in a value would reach the application.
 *
 * @internal
 */
export const requestHead = (
  request: ExchangeRequest,
  outer: IncomingMessage,
  body: string | Uint8Array | (() => unknown) | undefined,
): RequestHead | string => {
  const raw: Array<string> = []
  let headers: Record<string, string> | undefined = {}
  const host = outer.headers.host ?? outer.headers[":authority"] ?? request.headers["host"]
  if (typeof host === "string") {
    raw.push("host", host)
    headers["host"] = host
  }
  for (const name in request.headers) {
    const lines = request.headers[name]
    // A client sends all cookies in one header line (RFC 6265 §5.4).
    const value = name === "cookie" && typeof lines === "object" ? lines.join("; ") : lines
    if (value === undefined || isFraming(name)) continue
    if (!token.test(name)) return `The header name ${JSON.stringify(name)} is invalid: use letters, digits and -`
    if (typeof value === "string") {
      if (forbidden.test(value))
        return `The header ${name} contains a character that HTTP forbids, such as a line break`
      raw.push(name, value)
      if (headers !== undefined) headers[name] = value
      continue
    }
    headers = undefined
    for (const line of value) {
      if (forbidden.test(line)) return `The header ${name} contains a character that HTTP forbids, such as a line break`
      raw.push(name, line)
    }
  }
  // RFC 9110 §8.6: a client sends `content-length: 0` for methods that usually have content.
  if (body === undefined && !expectsContent(request.method)) return { headers, raw }
  const name = typeof body === "function" ? "transfer-encoding" : "content-length"
  const value = typeof body === "function" ? "chunked" : String(body === undefined ? 0 : Buffer.byteLength(body))
  raw.push(name, value)
  if (headers !== undefined) headers[name] = value
  return { headers, raw }
}
