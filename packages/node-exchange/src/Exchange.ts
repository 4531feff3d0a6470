/** HTTP requests inside a process, through an application's own request handler. */
import { IncomingMessage, type ServerResponse } from "node:http"
import type { ExchangeFailure } from "./ExchangeFailure.ts"
import type { ExchangeReply } from "./ExchangeReply.ts"
import { type ExchangeRequest, requestHead } from "./ExchangeRequest.ts"
import { responseConstructor } from "./ExchangeResponse.ts"
import { markSubRequest } from "./isSubRequest.ts"
import { type Done, PendingExchange } from "./PendingExchange.ts"
import { closeBody, deliverBody } from "./requestBody.ts"

/** Runs sub-requests against one application. */
export interface Exchange {
  /**
   * Starts a sub-request and returns what aborts it.
   *
   * **Details**
   * The handler is entered before this returns; `done` is called once, later, in the caller's asynchronous context: with
   * the reply, or with why there is none. Nothing is ever thrown. Who calls (address, TLS, protocol, host) is read from
   * `outer`, to which nothing is added. Aborting is what a client's disconnect is: `aborted` and `close` on the request,
   * `close` on the response, both destroyed; after the outcome it does nothing.
   */
  readonly dispatch: (
    request: ExchangeRequest,
    outer: IncomingMessage,
    done: (result: ExchangeReply | ExchangeFailure) => void,
  ) => () => void
}

/** What an exchange is made of. */
export interface ExchangeOptions {
  /** The application: whatever one would give to `http.createServer`. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => unknown
  /** The prototype of requests, for a framework that sets it itself. Default: Node's own. */
  readonly requestPrototype?: object | undefined
  /** The prototype of responses, likewise. */
  readonly responsePrototype?: object | undefined
  /**
   * Hands a JSON body over as `req.body`, already parsed, with the stream at its end. Default `false`.
   *
   * **Gotchas**
   * Faster, but no longer what happens to a request that comes alone: every handler sees `req.body`, whether or not a
   * JSON parser stands before it; a parser's `limit`, `strict`, `reviver`, `verify` and `type` have no effect; whatever
   * else reads the stream (raw and text parsers, proxies, upload handlers) finds it ended. For applications whose only
   * reader of JSON bodies is one `express.json()` with default options before every route.
   */
  readonly preParsed?: boolean | undefined
  /** The most bytes that a reply's body may have. Default: no limit. */
  readonly maxResponseBytes?: number | undefined
}

/**
 * Makes an exchange.
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
    const exchange = new PendingExchange(outer.socket, limit, done)
    try {
      const parsed = preParsed && request.parsed !== undefined && isJson(request.headers["content-type"])
      const body = typeof request.body === "function" && !parsed ? request.body() : request.body
      const head = requestHead(request, outer, body)
      if (typeof head === "string") {
        process.nextTick(refuse, exchange, head)
        return exchange.abort
      }
      const incoming = Reflect.construct(IncomingMessage, [exchange.socket], Request) as NativeRequest
      incoming.method = request.method
      incoming.url = request.url
      incoming.httpVersion = outer.httpVersion
      incoming.httpVersionMajor = outer.httpVersionMajor
      incoming.httpVersionMinor = outer.httpVersionMinor
      // The list first: Node adds it to merged headers that are there already.
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
        closeBody(incoming)
      }
      const returned = exchange.enter(options.handle, incoming, response as unknown as ServerResponse)
      if (!parsed) deliverBody(incoming, body as string | Uint8Array | undefined)
      if (returned instanceof Promise) returned.then(undefined, (error: unknown) => exchange.threw(error))
    } catch (error) {
      process.nextTick(fail, exchange, error)
    }
    return exchange.abort
  }
  return { dispatch }
}

interface NativeRequest extends IncomingMessage {
  _addHeaderLines: (raw: Array<string>, length: number) => void
}

const isJson = (type: string | ReadonlyArray<string> | undefined): boolean =>
  typeof type === "string" && /^application\/json\s*(?:;|$)/i.test(type)

const strictBodies = { rejectNonStandardBodyWrites: true }

const responseOptions = (server: unknown): object | undefined =>
  (server as { readonly rejectNonStandardBodyWrites?: boolean } | undefined)?.rejectNonStandardBodyWrites === true
    ? strictBodies
    : undefined

const refuse = (exchange: PendingExchange, message: string): void => exchange.refused(message)

const fail = (exchange: PendingExchange, error: unknown): void => exchange.threw(error)
