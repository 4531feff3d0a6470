/** One sub-request from its start to its one outcome. */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks"
import type { IncomingMessage } from "node:http"
import type { Socket } from "node:net"
import { type ExchangeFailure, makeFailure } from "./ExchangeFailure.ts"
import { CapturedReply, type ExchangeReply } from "./ExchangeReply.ts"
import type { ExchangeResponse, ResponseOwner } from "./ExchangeResponse.ts"
import { ExchangeSocket, type SocketOwner } from "./ExchangeSocket.ts"
import { answered, leaveUnread } from "./requestBody.ts"

/**
 * @internal
 */
export type Done = (result: ExchangeReply | ExchangeFailure) => void

const type = "MULTISTATUSEXCHANGE"

const asynchronous = { requireManualDestroy: true }

// Before Node 24 what a handler enters with `AsyncLocalStorage.enterWith` stays in the resource it ran in, and `done` would
// find it there: it then needs a resource of its own.
const keepsWhatIsEntered = ((): boolean => {
  const storage = new AsyncLocalStorage<boolean>()
  const resource = new AsyncResource(type, asynchronous)
  resource.runInAsyncScope(() => storage.enterWith(true))
  const kept = resource.runInAsyncScope(() => storage.getStore()) === true
  storage.disable()
  return kept
})()

/**
 * @internal
 */
export class PendingExchange extends AsyncResource implements SocketOwner, ResponseOwner {
  readonly socket: ExchangeSocket
  request: IncomingMessage | undefined = undefined
  response: ExchangeResponse | undefined = undefined
  #done: Done | undefined
  readonly #limit: number
  #status = 0
  #statusMessage = ""
  #headers: Record<string, string | ReadonlyArray<string>> = {}
  #chunks: Array<string | Buffer> = []
  #bytes = 0
  #unflushed = 0
  #aborted = false

  constructor(outer: Socket, limit: number, done: Done) {
    // Each request of a server has an asynchronous scope of its own: what one handler does to it stays with it, and `done`
    // runs in the scope of whoever asked.
    super(type, asynchronous)
    this.socket = new ExchangeSocket(outer, this)
    this.#limit = limit
    this.#done = done
  }

  /** Runs the handler in the sub-request's asynchronous scope. */
  enter<A, B, C>(handle: (a: A, b: B) => C, a: A, b: B): C {
    const scope = keepsWhatIsEntered ? new AsyncResource(type, asynchronous) : this
    return scope.runInAsyncScope(handle, undefined, a, b)
  }

  /** The response's head is decided. */
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

  /** Keeps a chunk; answers whether the writer may go on at once. */
  chunk(data: string | Uint8Array, encoding: BufferEncoding | null | undefined): boolean {
    if (this.socket.destroyed) return false
    const length = data.length
    if (length === 0) return true
    this.socket.touch()
    // Bytes are copied: whoever wrote them may use the memory again once the write is called back.
    const kept =
      typeof data !== "string" ? Buffer.from(data) : isUtf8(encoding) ? data : Buffer.from(data, encoding ?? "utf8")
    this.#bytes += typeof kept === "string" && this.#limit < Infinity ? Buffer.byteLength(kept) : kept.length
    if (this.#bytes > this.#limit) {
      this.#chunks = []
      this.#settle(makeFailure("too-large", `The response is larger than ${this.#limit} bytes`))
      this.socket.destroy()
      return false
    }
    this.#chunks.push(kept)
    this.#unflushed += length
    if (this.#unflushed < this.socket.writableHighWaterMark) return true
    if (this.#unflushed - length < this.socket.writableHighWaterMark) setImmediate(drain, this)
    return false
  }

  /** The writer may go on. Not at once, so that a large response leaves room for others. */
  drain(): void {
    const response = this.response
    this.#unflushed = 0
    if (response === undefined || response.writableEnded || this.socket.destroyed) return
    response._flush()
    if (response.writableNeedDrain) response.emit("drain")
  }

  /** The response was ended; Node has scheduled its `finish` before this schedules the rest. */
  end(): void {
    if (!this.socket.destroyed) process.nextTick(settleReply, this)
  }

  reply(): void {
    const { request, response, socket } = this
    if (this.#done === undefined || request === undefined || response === undefined) return
    answered(request)
    leaveUnread(request, false)
    response.socket = null
    socket._httpMessage = null
    if (response.listenerCount("close") + socket.listenerCount("close") > 0) {
      process.nextTick(close, request, response, socket)
    } else {
      close(request, response, socket)
    }
    this.#settle(new CapturedReply(this.#status, this.#statusMessage, this.#headers, this.#chunks))
  }

  /** The handler threw: as after a crash, nobody is there any more. */
  threw(error: unknown): void {
    if (this.#done === undefined) return
    this.#settle(makeFailure("threw", "The handler threw", error))
    this.socket.destroy()
  }

  refused(message: string): void {
    this.#settle(makeFailure("invalid", message))
  }

  readonly abort = (): void => {
    if (this.#done === undefined) return
    this.#aborted = true
    this.socket.destroy()
  }

  onSocketClosed(error: Error | undefined): void {
    const { request, response } = this
    // In the order in which a server's connection tells of its end.
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
    const heardByRequest = request !== undefined && !request.complete && request.emit("timeout", socket)
    const heardByResponse = response !== undefined && response.emit("timeout", socket)
    return heardByRequest || heardByResponse
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

const settleReply = (exchange: PendingExchange): void => exchange.reply()

const close = (request: IncomingMessage, response: ExchangeResponse, socket: ExchangeSocket): void => {
  emitClose(response)
  leaveUnread(request, true)
  socket.close()
}

const emitClose = (response: ExchangeResponse): void => {
  if (response._closed) return
  response.destroyed = true
  response._closed = true
  response.emit("close")
}

const connectionReset = (): Error => Object.assign(new Error("aborted"), { code: "ECONNRESET" })
