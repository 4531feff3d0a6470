/** The state of one sub-request, from its start to its single outcome. */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks"
import type { IncomingMessage } from "node:http"
import type { Socket } from "node:net"
import { type ExchangeFailure, makeFailure } from "./ExchangeFailure.ts"
import { CapturedReply, type ExchangeReply } from "./ExchangeReply.ts"
import type { ExchangeResponse, ResponseOwner } from "./ExchangeResponse.ts"
import { ExchangeSocket, type SocketOwner } from "./ExchangeSocket.ts"
import { detachSignal, discardBody } from "./requestBody.ts"

/**
 * The caller's callback.
 *
 * @internal
 */
export type Done = (result: ExchangeReply | ExchangeFailure) => void

const resourceType = "MULTISTATUSEXCHANGE"

const resourceOptions = { requireManualDestroy: true }

// Before Node 24 a store that a handler enters with `AsyncLocalStorage.enterWith` stays in the resource that the handler
// ran in, and `done` would see it. There the handler gets a resource of its own.
const keepsEnteredStore = ((): boolean => {
  const storage = new AsyncLocalStorage<boolean>()
  const resource = new AsyncResource(resourceType, resourceOptions)
  resource.runInAsyncScope(() => storage.enterWith(true))
  const kept = resource.runInAsyncScope(() => storage.getStore()) === true
  storage.disable()
  return kept
})()

/**
 * A sub-request in progress: it collects the response and calls `done` once.
 *
 * @internal
 */
export class PendingExchange extends AsyncResource implements SocketOwner, ResponseOwner {
  readonly socket: ExchangeSocket
  request: IncomingMessage | undefined = undefined
  response: ExchangeResponse | undefined = undefined
  #done: Done | undefined
  readonly #limit: number
  readonly #keep: ((bytes: number) => boolean) | undefined
  #status = 0
  #statusMessage = ""
  #headers: Record<string, string | ReadonlyArray<string>> = {}
  #chunks: Array<string | Buffer> = []
  #bytes = 0
  #isTruncated = false
  #unflushed = 0
  #aborted = false

  constructor(outer: Socket, limit: number, keep: ((bytes: number) => boolean) | undefined, done: Done) {
    // As on a server, each request has its own asynchronous scope: changes by a handler stay in it, and `done` runs in the
    // scope of the caller.
    super(resourceType, resourceOptions)
    this.socket = new ExchangeSocket(outer, this)
    this.#limit = limit
    this.#keep = keep
    this.#done = done
  }

  /** Runs the handler in the sub-request's asynchronous scope. */
  enter<A, B, C>(handle: (a: A, b: B) => C, a: A, b: B): C {
    const scope = keepsEnteredStore ? new AsyncResource(resourceType, resourceOptions) : this
    return scope.runInAsyncScope(handle, undefined, a, b)
  }

  /** Stores the final head of the response. */
  head(response: ExchangeResponse, headers: Record<string, string | ReadonlyArray<string>>): void {
    this.#status = response.statusCode
    this.#statusMessage = response.statusMessage
    this.#headers = headers
    if (headers["content-length"] !== undefined) {
      response._contentLength = Number(headers["content-length"])
      response._removedContLen = false
    } else if (
      typeof response._contentLength === "number" &&
      response._hasBody &&
      !response._removedContLen &&
      headers["transfer-encoding"] === undefined &&
      headers["trailer"] === undefined
    ) {
      headers["content-length"] = String(response._contentLength)
    }
  }

  /** Stores a chunk. Returns false if the writer should wait for `drain`. */
  chunk(data: string | Uint8Array, encoding: BufferEncoding | null | undefined): boolean {
    if (this.socket.destroyed) return false
    const length = data.length
    if (length === 0) return true
    this.socket.restartTimer()
    const bytes = typeof data === "string" ? Buffer.byteLength(data, encoding ?? "utf8") : length
    this.#bytes += bytes
    if (this.#bytes > this.#limit) {
      this.#chunks = []
      this.#settle(makeFailure("too-large", `The response is larger than maxResponseBytes, ${this.#limit} bytes`))
      this.socket.destroy()
      return false
    }
    this.#store(data, encoding, bytes)
    this.#unflushed += length
    if (this.#unflushed < this.socket.writableHighWaterMark) return true
    if (this.#unflushed - length < this.socket.writableHighWaterMark) setImmediate(drain, this)
    return false
  }

  #store(data: string | Uint8Array, encoding: BufferEncoding | null | undefined, bytes: number): void {
    if (this.#isTruncated) return
    if (this.#keep?.(bytes) === false) {
      this.#isTruncated = true
      this.#chunks = []
      return
    }
    // Bytes are copied: the writer may reuse the buffer after the write's callback.
    this.#chunks.push(
      typeof data !== "string" ? Buffer.from(data) : isUtf8(encoding) ? data : Buffer.from(data, encoding ?? "utf8"),
    )
  }

  /** Emits `drain`. It runs in a later turn of the event loop, so that a large response does not block other work. */
  drain(): void {
    const response = this.response
    this.#unflushed = 0
    if (response === undefined || response.writableEnded || this.socket.destroyed) return
    response._flush()
    if (response.writableNeedDrain) response.emit("drain")
  }

  /** Completes the exchange after `finish`, which Node has scheduled before it calls this. */
  end(): void {
    if (!this.socket.destroyed) process.nextTick(complete, this)
  }

  /** Closes the request and the response, and passes the reply to `done`. */
  complete(): void {
    const { request, response, socket } = this
    if (this.#done === undefined || request === undefined || response === undefined) return
    detachSignal(request)
    discardBody(request, false)
    response.socket = null
    socket._httpMessage = null
    if (response.listenerCount("close") + socket.listenerCount("close") > 0) {
      process.nextTick(close, request, response, socket)
    } else {
      close(request, response, socket)
    }
    this.#settle(new CapturedReply(this.#status, this.#statusMessage, this.#headers, this.#chunks, this.#isTruncated))
  }

  /** Fails the exchange with an error of the handler and destroys the socket. */
  failThrown(error: unknown): void {
    if (this.#done === undefined) return
    this.#settle(makeFailure("threw", "The handler threw", error))
    this.socket.destroy()
  }

  /** Fails the exchange because its request is invalid. */
  failInvalid(message: string): void {
    this.#settle(makeFailure("invalid", message))
  }

  /** Aborts the sub-request for the caller. */
  readonly abort = (): void => {
    if (this.#done === undefined) return
    this.#aborted = true
    this.socket.destroy()
  }

  onSocketClosed(error: Error | undefined): void {
    const { request, response } = this
    // A server emits these events in the same order when a connection ends.
    if (request !== undefined && !request.destroyed) request.destroy(connectionReset())
    if (response !== undefined) emitClose(response)
    this.#settle(
      this.#aborted
        ? makeFailure("aborted", "The sub-request was aborted")
        : makeFailure("destroyed", "The application destroyed the response", error ?? undefined),
    )
  }

  onSocketTimeout(): boolean {
    const { request, response, socket } = this
    const isRequestHandled = request !== undefined && !request.complete && request.emit("timeout", socket)
    const isResponseHandled = response !== undefined && response.emit("timeout", socket)
    return isRequestHandled || isResponseHandled
  }

  #settle(result: ExchangeReply | ExchangeFailure): void {
    const done = this.#done
    if (done === undefined) return
    this.#done = undefined
    this.runInAsyncScope(done, undefined, result)
  }
}

const isUtf8 = (encoding: BufferEncoding | null | undefined): boolean =>
  encoding === undefined || encoding === null || encoding === "utf8" || encoding === "utf-8"

const drain = (exchange: PendingExchange): void => exchange.drain()

const complete = (exchange: PendingExchange): void => exchange.complete()

const close = (request: IncomingMessage, response: ExchangeResponse, socket: ExchangeSocket): void => {
  emitClose(response)
  discardBody(request, true)
  socket.close()
}

const emitClose = (response: ExchangeResponse): void => {
  if (response._closed) return
  response.destroyed = true
  response._closed = true
  response.emit("close")
}

const connectionReset = (): Error => Object.assign(new Error("aborted"), { code: "ECONNRESET" })
