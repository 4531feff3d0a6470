import type { HttpRequest } from "../../src/http/HttpMessage.ts"

/** Creates a body that arrives in chunks. */
export const stream = (...chunks: ReadonlyArray<string | Uint8Array>): HttpRequest["body"] => ({
  _tag: "Stream",
  bytes: (async function* () {
    for (const chunk of chunks) yield typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk
  })(),
})

/** Creates a request to a batch endpoint; its content type is JSON by default. */
export const request = (body: HttpRequest["body"], given: Partial<HttpRequest> = {}): HttpRequest => ({
  method: "POST",
  isSubRequest: false,
  signal: new AbortController().signal,
  raw: undefined,
  ...given,
  headers: { "content-type": "application/json", ...given.headers },
  body,
})

/** Creates a request with a JSON value as its body. */
export const jsonRequest = (value: unknown, given: Partial<HttpRequest> = {}): HttpRequest =>
  request(stream(JSON.stringify(value)), given)
