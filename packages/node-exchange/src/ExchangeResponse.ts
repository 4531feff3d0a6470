/**
 * A `ServerResponse` that collects its output in memory instead of writing it to a socket.
 *
 * Argument checks, overloads, header handling, states and callbacks remain Node's own code. Five internal methods are
 * replaced: `_storeHeader` keeps the head as a record, `_send` keeps chunks, `_writeRaw` drops informational responses,
 * `_flushOutput` does nothing, and `_finish` reports the end.
 */
import { type IncomingMessage, ServerResponse } from "node:http"
import { forbidden, token } from "./headerSyntax.ts"

/** The property of a response that holds its exchange. */
const owner = Symbol("owner")

/**
 * The exchange that a response belongs to and reports to.
 *
 * @internal
 */
export interface ResponseOwner {
  readonly socket: { readonly destroyed: boolean }
  /** Stores the head, which is final. */
  readonly head: (response: ExchangeResponse, headers: Record<string, string | ReadonlyArray<string>>) => void
  /** Stores a chunk of the body. Returns false if the writer should wait for `drain`. */
  readonly chunk: (data: string | Uint8Array, encoding: BufferEncoding | null | undefined) => boolean
  /** Reports that the response has ended. */
  readonly end: () => void
}

/**
 * A response with the undocumented members of Node's `ServerResponse` that an exchange uses.
 *
 * @internal
 */
export interface ExchangeResponse extends Omit<ServerResponse, "socket"> {
  [owner]: ResponseOwner
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

const nodeResponse = ServerResponse.prototype as unknown as ExchangeResponse

function storeHeader(this: ExchangeResponse, firstLine: string, headers: OutgoingHeaders): void {
  // After `setHeader` Node passes its internal table, and `getHeaders` returns a copy of it. Otherwise Node passes the
  // argument of `writeHead`, which is not validated yet.
  const record = this.getHeaderNames().length > 0 ? fromSetHeaders(this) : fromArgument(headers)
  // Node refuses trailers that HTTP cannot frame; nothing is framed here.
  if (record === undefined) {
    // Node's method throws Node's own errors and follows the server's setting for lenient headers.
    nodeResponse._storeHeader.call(this, firstLine, headers)
    this.chunkedEncoding = false
  }
  this[owner].head(this, record ?? fromArgument(headers, true) ?? new Headers())
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
  const flowing = this[owner].chunk(data, encoding)
  if (typeof callback === "function" && !this[owner].socket.destroyed) process.nextTick(callback)
  return flowing
}

function writeRaw(this: ExchangeResponse, _data: unknown, encoding?: unknown, callback?: unknown): boolean {
  const written = typeof encoding === "function" ? encoding : callback
  if (typeof written === "function") process.nextTick(written as () => void)
  return true
}

function finish(this: ExchangeResponse): void {
  nodeResponse._finish.call(this)
  this[owner].end()
}

// Creates records without a prototype. Unlike `{ __proto__: null }`, V8 does not put them into dictionary mode.
const Headers = function () {} as unknown as new () => HeaderRecord
Headers.prototype = Object.create(null) as object

const fromSetHeaders = (response: ExchangeResponse): HeaderRecord => {
  const headers = response.getHeaders() as Record<string, unknown>
  for (const name in headers) {
    const value = headers[name]
    if (typeof value !== "string" || name === "set-cookie") headers[name] = toReceived(name, value)
  }
  return headers as HeaderRecord
}

/** Reads the argument of `writeHead`. Returns `undefined` if a header is invalid, unless `isChecked`. */
const fromArgument = (argument: OutgoingHeaders, isChecked = false): HeaderRecord | undefined => {
  const headers = new Headers()
  if (argument === undefined || argument === null) return headers
  if (Array.isArray(argument)) {
    const pairs: ReadonlyArray<unknown> = Array.isArray(argument[0]) ? argument.flat(1) : argument
    if (pairs.length % 2 !== 0) return undefined
    for (let n = 0; n < pairs.length; n += 2) {
      if (!add(headers, pairs[n], pairs[n + 1], isChecked)) return undefined
    }
    return headers
  }
  for (const name of Object.keys(argument)) {
    if (!add(headers, name, (argument as Readonly<Record<string, unknown>>)[name], isChecked)) return undefined
  }
  return headers
}

const add = (headers: HeaderRecord, name: unknown, value: unknown, isChecked: boolean): boolean => {
  if (typeof name !== "string" || value === undefined) return false
  if (!isChecked && (!token.test(name) || (Array.isArray(value) ? value.some(isInvalid) : isInvalid(value))))
    return false
  const key = name.toLowerCase()
  const before = headers[key]
  headers[key] = toReceived(key, before === undefined ? value : [before, value].flat())
  return true
}

const isInvalid = (value: unknown): boolean => value === undefined || forbidden.test(value as string)

/** The value as a client receives it. */
const toReceived = (name: string, value: unknown): string | ReadonlyArray<string> => {
  if (!Array.isArray(value)) return name === "set-cookie" ? [String(value)] : String(value)
  return value.length === 1 && name !== "set-cookie" ? String(value[0]) : value.map(String)
}

/** There is no output to flush. Older versions of Node emit `drain` only if this returns true. */
const flushOutput = (): boolean => true

/**
 * Returns a function that constructs responses.
 *
 * **Details** Responses have exactly the given `prototype` and carry the replaced methods as own properties. So a framework
 * may set the prototype of every response, as Express does, even if it is not the framework that the exchange was made for.
 *
 * @internal
 */
export const responseConstructor = (
  prototype: object = ServerResponse.prototype,
): ((request: IncomingMessage, exchange: ResponseOwner, options: object | undefined) => ExchangeResponse) => {
  const Response = function () {} as unknown as new () => ExchangeResponse
  Response.prototype = prototype
  return (request, exchange, options) => {
    const response = Reflect.construct(ServerResponse, [request, options], Response) as ExchangeResponse
    response[owner] = exchange
    response._storeHeader = storeHeader
    response._send = send
    response._writeRaw = writeRaw
    response._flushOutput = flushOutput
    response._finish = finish
    return response
  }
}
