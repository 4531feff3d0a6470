/**
 * A `ServerResponse` that keeps what is written to it instead of framing it for a socket.
 *
 * All that an application can see (argument checks, overloads, header bookkeeping, states, callbacks) stays Node's own
 * code; five of its inner steps are replaced: the head is kept as a record, a chunk as a chunk, informational responses
 * are dropped, there is no output to flush, and the end is reported.
 */
import { type IncomingMessage, ServerResponse } from "node:http"
import { forbidden, token } from "./headerSyntax.ts"

/**
 * Where a response keeps the exchange it belongs to.
 *
 * @internal
 */
export const ongoing = Symbol("ongoing")

/**
 * What a response reports to: the exchange it belongs to.
 *
 * @internal
 */
export interface ResponseOwner {
  readonly socket: { readonly destroyed: boolean }
  /** The head is decided. */
  readonly head: (response: ExchangeResponse, headers: Record<string, string | ReadonlyArray<string>>) => void
  /** Keeps a chunk of the body. Returns whether the writer may continue at once. */
  readonly chunk: (data: string | Uint8Array, encoding: BufferEncoding | null | undefined) => boolean
  /** The response was ended. */
  readonly end: () => void
}

/**
 * The parts of Node's responses that have no types.
 *
 * @internal
 */
export interface ExchangeResponse extends Omit<ServerResponse, "socket"> {
  [ongoing]: ResponseOwner
  socket: object | null
  destroyed: boolean
  _closed: boolean
  _header: string | null
  _headerSent: boolean
  _hasBody: boolean
  _contentLength: number | null
  _removedContLen: boolean
  chunkedEncoding: boolean
  _flush: () => void
  _storeHeader: typeof storeHeader
  _send: typeof send
  _writeRaw: typeof writeRaw
  _flushOutput: typeof flushOutput
  _finish: typeof finish
}

type OutgoingHeaders = Readonly<Record<string, unknown>> | ReadonlyArray<unknown> | undefined

type HeaderRecord = Record<string, string | ReadonlyArray<string>>

const native = ServerResponse.prototype as unknown as ExchangeResponse

function storeHeader(this: ExchangeResponse, firstLine: string, headers: OutgoingHeaders): void {
  // Node passes its own table when `setHeader` was used (`getHeaders` is a copy of it) and the argument of `writeHead`,
  // not yet checked, when it was not.
  const record = this.getHeaderNames().length > 0 ? fromTable(this) : fromArgument(headers)
  if (record === undefined || record["trailer"] !== undefined) {
    // Node's own step throws its own errors, and knows how lenient the server was told to be.
    native._storeHeader.call(this, firstLine, headers)
    this.chunkedEncoding = false
  }
  this[ongoing].head(this, record ?? fromArgument(headers, true) ?? new Headers())
  this._header = firstLine
  this._headerSent = false
}

function send(
  this: ExchangeResponse,
  data: string | Uint8Array,
  encoding?: BufferEncoding | null,
  callback?: (() => void) | null,
): boolean {
  this._headerSent = true
  const flowing = this[ongoing].chunk(data, encoding)
  if (typeof callback === "function" && !this[ongoing].socket.destroyed) process.nextTick(callback)
  return flowing
}

function writeRaw(this: ExchangeResponse, _data: unknown, encoding?: unknown, callback?: unknown): boolean {
  const written = typeof encoding === "function" ? encoding : callback
  if (typeof written === "function") process.nextTick(written as () => void)
  return true
}

function finish(this: ExchangeResponse): void {
  native._finish.call(this)
  this[ongoing].end()
}

// A record without prototype that, unlike `{ __proto__: null }`, V8 does not make a dictionary.
const Headers = function () {} as unknown as new () => HeaderRecord
Headers.prototype = Object.create(null) as object

const fromTable = (response: ExchangeResponse): HeaderRecord => {
  const headers = response.getHeaders() as Record<string, unknown>
  for (const name in headers) {
    const value = headers[name]
    if (typeof value !== "string" || name === "set-cookie") headers[name] = received(name, value)
  }
  return headers as HeaderRecord
}

/** Answers nothing when something in it is not fit to be sent, unless that has been judged already. */
const fromArgument = (argument: OutgoingHeaders, judged = false): HeaderRecord | undefined => {
  const headers = new Headers()
  if (argument === undefined || argument === null) return headers
  if (Array.isArray(argument)) {
    const pairs: ReadonlyArray<unknown> = Array.isArray(argument[0]) ? argument.flat(1) : argument
    if (pairs.length % 2 !== 0) return undefined
    for (let n = 0; n < pairs.length; n += 2) {
      if (!add(headers, pairs[n], pairs[n + 1], judged)) return undefined
    }
    return headers
  }
  for (const name of Object.keys(argument)) {
    if (!add(headers, name, (argument as Readonly<Record<string, unknown>>)[name], judged)) return undefined
  }
  return headers
}

const add = (headers: HeaderRecord, name: unknown, value: unknown, judged: boolean): boolean => {
  if (typeof name !== "string" || value === undefined) return false
  if (!judged && (!token.test(name) || (Array.isArray(value) ? value.some(unfit) : unfit(value)))) return false
  const key = name.toLowerCase()
  const before = headers[key]
  headers[key] = received(key, before === undefined ? value : [before, value].flat())
  return true
}

const unfit = (value: unknown): boolean => value === undefined || forbidden.test(value as string)

const received = (name: string, value: unknown): string | ReadonlyArray<string> => {
  if (!Array.isArray(value)) return name === "set-cookie" ? [String(value)] : String(value)
  return value.length === 1 && name !== "set-cookie" ? String(value[0]) : value.map(String)
}

/** There is never any output to flush: older Nodes emit `drain` only after a flush that says so. */
const flushOutput = (): boolean => true

const steps = {
  _storeHeader: storeHeader,
  _send: send,
  _writeRaw: writeRaw,
  _flushOutput: flushOutput,
  _finish: finish,
}

/**
 * Makes the constructor of responses.
 *
 * Given a prototype, objects have exactly that one and carry the replaced steps themselves: a framework that sets the
 * prototype of each response then finds it set, and changing the prototype of a live object is what makes it slow.
 *
 * @internal
 */
export const responseConstructor = (
  prototype: object | undefined,
): ((request: IncomingMessage, exchange: ResponseOwner, options: object | undefined) => ExchangeResponse) => {
  const Response = function () {} as unknown as new () => ExchangeResponse
  Response.prototype = prototype ?? Object.assign(Object.create(ServerResponse.prototype), steps)
  const own = prototype !== undefined
  return (request, exchange, options) => {
    const response = Reflect.construct(ServerResponse, [request, options], Response) as ExchangeResponse
    response[ongoing] = exchange
    if (own) {
      response._storeHeader = storeHeader
      response._send = send
      response._writeRaw = writeRaw
      response._flushOutput = flushOutput
      response._finish = finish
    }
    return response
  }
}
