/** Runs HTTP requests in process, through an application's own request handler. */
import { IncomingMessage, type ServerResponse } from "node:http"
import type { ExchangeFailure } from "./ExchangeFailure.ts"
import type { ExchangeReply } from "./ExchangeReply.ts"
import { type ExchangeRequest, requestHead } from "./ExchangeRequest.ts"
import { responseConstructor } from "./ExchangeResponse.ts"
import { markSubRequest } from "./isSubRequest.ts"
import { type Done, PendingExchange } from "./PendingExchange.ts"
import { markBodyRead, deliverBody } from "./requestBody.ts"

/** Runs sub-requests against one application. */
export interface Exchange {
  /**
   * Starts a sub-request and returns a function that aborts it.
   *
   * **Details**
   * The handler is called before `dispatch` returns. `done` is called exactly once, later, in the caller's asynchronous
   * context, with the reply or with a failure. `dispatch` never throws. The sub-request takes the client's address, TLS
   * state, protocol and host from `outer`; nothing is added to `outer`. Its HTTP version is 1.1, whatever that of `outer`. An abort looks like a client disconnect: the
   * request emits `aborted` and `close`, the response emits `close`, and both are destroyed. An abort after `done` was
   * called has no effect.
   */
  readonly dispatch: (
    request: ExchangeRequest,
    outer: IncomingMessage,
    done: (result: ExchangeReply | ExchangeFailure) => void,
  ) => () => void
}

/** Options of `makeExchange`. */
export interface ExchangeOptions {
  /** The application's request listener, as passed to `http.createServer`. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => unknown
  /** Prototype of request objects, for a framework that replaces it. Default: `IncomingMessage.prototype`. */
  readonly requestPrototype?: object | undefined
  /** Prototype of response objects, for a framework that replaces it. Default: `ServerResponse.prototype`. */
  readonly responsePrototype?: object | undefined
  /**
   * Passes a JSON body as `req.body`, already parsed, and ends the request stream. Default `false`.
   *
   * **Gotchas**
   * This is faster, but a sub-request then differs from a request that arrives over a socket. Every handler sees
   * `req.body`, even without a JSON parser in front of it. The options `limit`, `strict`, `reviver`, `verify` and `type`
   * of a parser have no effect. Other readers of the stream (raw and text parsers, proxies, upload handlers) find it
   * ended. Use it only if the single reader of JSON bodies is one `express.json()` with default options before all routes.
   */
  readonly preParsed?: boolean | undefined
  /** Maximum size of a reply's body, in bytes. Default: no limit. */
  readonly maxResponseBytes?: number | undefined
}

/**
 * Makes an exchange for one application.
 *
 * **Example** (A request without a socket)
 * ```ts
 * const exchange = makeExchange({ handle: (req, res) => res.end(`${req.method} ${req.url}`) })
 * http.createServer((outer, response) => {
 *   exchange.dispatch({ method: "GET", url: "/x", headers: {} }, outer, (result) => {
 *     response.end(result._tag === "ExchangeReply" ? result.text : result.message)
 *   })
 * })
 * ```
 */
export const makeExchange = (options: ExchangeOptions): Exchange => {
  const makeResponse = responseConstructor(options.responsePrototype)
  const Request = function () {} as unknown as new () => IncomingMessage
  Request.prototype = options.requestPrototype ?? IncomingMessage.prototype
  const limit = options.maxResponseBytes ?? Infinity
  const preParsed = options.preParsed === true

  const dispatch = (request: ExchangeRequest, outer: IncomingMessage, done: Done): (() => void) => {
    const exchange = new PendingExchange(outer.socket, limit, request.keep, done)
    try {
      const parsed = preParsed && request.parsed !== undefined && isJson(request.headers["content-type"])
      const body = typeof request.body === "function" && !parsed ? request.body() : request.body
      const head = requestHead(request, outer, body)
      if (typeof head === "string") {
        process.nextTick(failInvalid, exchange, head)
        return exchange.abort
      }
      const incoming = Reflect.construct(IncomingMessage, [exchange.socket], Request) as RequestInternals
      incoming.method = request.method
      incoming.url = request.url
      // The response is one of HTTP/1.1. Node and frameworks would apply the rules of another version to it.
      incoming.httpVersion = "1.1"
      incoming.httpVersionMajor = 1
      incoming.httpVersionMinor = 1
      // The raw list comes first: Node would merge it into `headers` if they were set already.
      incoming._addHeaderLines(head.raw, head.raw.length)
      if (head.headers !== undefined) incoming.headers = head.headers
      markSubRequest(incoming)
      const response = makeResponse(incoming, exchange, responseOptions(exchange.socket.server))
      response.socket = exchange.socket
      exchange.socket._httpMessage = response as unknown as ServerResponse
      exchange.request = incoming
      exchange.response = response
      if (parsed) {
        Object.assign(incoming, { body: request.parsed, _body: true })
        markBodyRead(incoming)
      }
      const returned = exchange.enter(options.handle, incoming, response as unknown as ServerResponse)
      if (!parsed) deliverBody(incoming, body as string | Uint8Array | undefined)
      if (returned instanceof Promise) returned.then(undefined, (error: unknown) => exchange.failThrown(error))
    } catch (error) {
      process.nextTick(failThrown, exchange, error)
    }
    return exchange.abort
  }
  return { dispatch }
}

/** Undocumented members of Node's request that the exchange uses. */
interface RequestInternals extends IncomingMessage {
  _addHeaderLines: (raw: Array<string>, length: number) => void
}

const isJson = (type: string | ReadonlyArray<string> | undefined): boolean =>
  typeof type === "string" && /^application\/json\s*(?:;|$)/i.test(type)

const strictBodies = { rejectNonStandardBodyWrites: true }

// The response must treat bodies of HEAD, 204 and 304 as the application's server does.
const responseOptions = (server: unknown): object | undefined =>
  (server as { readonly rejectNonStandardBodyWrites?: boolean } | undefined)?.rejectNonStandardBodyWrites === true
    ? strictBodies
    : undefined

const failInvalid = (exchange: PendingExchange, message: string): void => exchange.failInvalid(message)

const failThrown = (exchange: PendingExchange, error: unknown): void => exchange.failThrown(error)
