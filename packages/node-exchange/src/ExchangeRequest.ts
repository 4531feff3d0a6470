/** What a sub-request asks for, and the head of it as a server's parser would have left it on the request. */
import type { IncomingMessage } from "node:http"
import { forbidden, token } from "./headerSyntax.ts"

/**
 * A request to run in process.
 *
 * **Details**
 * Header names are in lower case. `host` is the outer request's, and the exchange frames the body itself: `host`,
 * `content-length` and `transfer-encoding` found in `headers` are left out. The method is in upper case and the URL (path
 * and query) is used as it is: both are the caller's to check.
 */
export interface ExchangeRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string>>>
  /**
   * The payload as sent. A function is called at most once, and only if something reads the body as bytes.
   */
  readonly body?: string | Uint8Array | (() => string | Uint8Array) | undefined
  /**
   * The JSON value that `body` is the text of; used only by an exchange made with `preParsed`.
   */
  readonly parsed?: unknown
}

/**
 * The head of a request in the two forms that Node keeps: merged, and as the list that came over the wire.
 *
 * @internal
 */
export interface RequestHead {
  /** `undefined` when a header repeats: Node's own merging rules then make it from the list on first use. */
  readonly headers: Record<string, string> | undefined
  readonly raw: Array<string>
}

const framed = (name: string): boolean => name === "host" || name === "content-length" || name === "transfer-encoding"

const expectsContent = (method: string): boolean => method === "POST" || method === "PUT" || method === "PATCH"

/**
 * Builds the head, or answers what is wrong with it.
 *
 * Node's message objects do not check what they are given (its parser has done so for real requests), so a line break
 * in a value would otherwise reach the application.
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
    const given = request.headers[name]
    // A client sends its cookies on one line (RFC 6265 §5.4).
    const value = name === "cookie" && typeof given === "object" ? given.join("; ") : given
    if (value === undefined || framed(name)) continue
    if (!token.test(name)) return `Header name ${JSON.stringify(name)} is not a token`
    if (typeof value === "string") {
      if (forbidden.test(value)) return `Header ${name} has a character that no header may have`
      raw.push(name, value)
      if (headers !== undefined) headers[name] = value
      continue
    }
    headers = undefined
    for (const one of value) {
      if (forbidden.test(one)) return `Header ${name} has a character that no header may have`
      raw.push(name, one)
    }
  }
  // RFC 9110 §8.6: a client says that there is no content where the method makes one expect some.
  if (body === undefined && !expectsContent(request.method)) return { headers, raw }
  const name = typeof body === "function" ? "transfer-encoding" : "content-length"
  const value = typeof body === "function" ? "chunked" : String(body === undefined ? 0 : Buffer.byteLength(body))
  raw.push(name, value)
  if (headers !== undefined) headers[name] = value
  return { headers, raw }
}
