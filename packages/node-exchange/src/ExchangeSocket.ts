/**
 * The socket of a sub-request.
 *
 * Applications read a socket's peer (address, certificate), add listeners to it and destroy it. Reads go to the socket of
 * the outer request. Listeners and `destroy` stay with the sub-request, or one sub-request could end the whole batch.
 */
import { EventEmitter } from "node:events"
import type { ServerResponse } from "node:http"
import { Socket } from "node:net"

/**
 * The exchange that a socket belongs to and reports to.
 *
 * @internal
 */
export interface SocketOwner {
  /** Called when the application destroyed the socket or the caller aborted the sub-request. */
  readonly onSocketClosed: (error: Error | undefined) => void
  /** Called when the socket was idle for the application's timeout. Returns whether a listener handled it. */
  readonly onSocketTimeout: () => boolean
}

/**
 * A socket without a connection, in front of the outer request's socket.
 *
 * @internal
 */
export class ExchangeSocket extends EventEmitter {
  readonly #outer: Socket
  readonly #owner: SocketOwner
  #timer: NodeJS.Timeout | undefined = undefined
  declare readonly writableHighWaterMark: number
  _httpMessage: ServerResponse | null = null
  destroyed = false
  readable = true
  writable = true
  errored: Error | null = null
  timeout = 0

  constructor(outer: Socket, owner: SocketOwner) {
    super()
    this.#outer = outer
    this.#owner = owner
  }

  // Node reads `server` for every header that is set, so it gets a getter instead of the slower proxy below.
  get server(): unknown {
    return ExchangeSocket.#read(this, "server")
  }
  get remoteAddress(): string | undefined {
    return ExchangeSocket.#read(this, "remoteAddress") as string | undefined
  }
  get encrypted(): unknown {
    return ExchangeSocket.#read(this, "encrypted")
  }

  destroy(error?: Error): this {
    if (this.destroyed) return this
    this.#end()
    this.errored = error ?? null
    process.nextTick(emitClosed, this, this.#owner, error)
    return this
  }

  /** Emits `close` after the response has ended, if anything listens for it. */
  close(): void {
    if (this.destroyed) return
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    if (this.listenerCount("close") === 0) return
    this.#end()
    this.emit("close", false)
  }

  #end(): void {
    this.destroyed = true
    this.readable = false
    this.writable = false
    if (this.#timer !== undefined) clearTimeout(this.#timer)
  }

  setTimeout(milliseconds: number, onTimeout?: () => void): this {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.timeout = milliseconds
    if (milliseconds > 0 && !this.destroyed) {
      this.#timer = setTimeout(onTimer, milliseconds, this, this.#owner).unref()
      if (onTimeout !== undefined) this.once("timeout", onTimeout)
    } else if (onTimeout !== undefined) {
      this.removeListener("timeout", onTimeout)
    }
    return this
  }

  /** Restarts the idle timer, after a write. */
  restartTimer(): void {
    this.#timer?.refresh()
  }

  /** Reads a property of the outer socket. */
  static readOuter(socket: ExchangeSocket, name: string): unknown {
    const value = ExchangeSocket.#read(socket, name)
    if (typeof value !== "function") return value
    // Only methods that read something are available; a sub-request must not act on the outer socket.
    return readMethod.test(name) ? value.bind(socket.#outer) : undefined
  }

  // The socket of an HTTP/2 request throws on some reads, and on all of them once its session has ended.
  static #read(socket: ExchangeSocket, name: string): unknown {
    try {
      return (socket.#outer as unknown as Readonly<Record<string, unknown>>)[name]
    } catch {
      return undefined
    }
  }
}

const readMethod = /^(?:get|is|exportKeyingMaterial$|address$)/

const emitClosed = (socket: ExchangeSocket, owner: SocketOwner, error: Error | undefined): void => {
  // A server listens for errors of its sockets, so an error without another listener must not become an exception.
  if (error !== undefined && error !== null && socket.listenerCount("error") > 0) socket.emit("error", error)
  owner.onSocketClosed(error)
  socket.emit("close", error !== undefined && error !== null)
}

const onTimer = (socket: ExchangeSocket, owner: SocketOwner): void => {
  const isHandled = owner.onSocketTimeout()
  socket.emit("timeout")
  if (!isHandled) socket.destroy()
}

const returnThis = function <A>(this: A): A {
  return this
}
const discardWrite = (_chunk?: unknown, encoding?: unknown, callback?: unknown): boolean => {
  const written = typeof encoding === "function" ? encoding : callback
  if (typeof written === "function") process.nextTick(written as () => void)
  return true
}
const destroy = function (this: ExchangeSocket): ExchangeSocket {
  return this.destroy()
}

// Constants and no-op methods live on the prototype, not in each object. `writableCorked` is 1 because Node would
// otherwise schedule a tick to uncork the socket. `_writableState` exists because `end` of Node's responses writes to it.
Object.assign(ExchangeSocket.prototype, {
  parser: null,
  connecting: false,
  pending: false,
  closed: false,
  readyState: "open",
  writableLength: 0,
  writableCorked: 1,
  writableHighWaterMark: 65_536,
  readableHighWaterMark: 65_536,
  _hadError: false,
  _paused: false,
  _writableState: { corked: 0 },
  cork: () => {},
  uncork: () => {},
  pause: returnThis,
  resume: returnThis,
  ref: returnThis,
  unref: returnThis,
  setNoDelay: returnThis,
  setKeepAlive: returnThis,
  setEncoding: returnThis,
  write: discardWrite,
  end: destroy,
  destroySoon: destroy,
  resetAndDestroy: destroy,
})

// All other properties (addresses, TLS state, properties that the application added) are read from the outer socket,
// through a proxy at the end of the prototype chain; names that are defined above never reach it. The proxy's target
// inherits from `Socket.prototype`, so `instanceof Socket` is true, but its methods are not inherited.
const { constructor: _, ...emitter } = Object.getOwnPropertyDescriptors(EventEmitter.prototype)
Object.defineProperties(ExchangeSocket.prototype, emitter)
for (const name of Reflect.ownKeys(new EventEmitter())) {
  if (Object.hasOwn(ExchangeSocket.prototype, name)) continue
  Object.defineProperty(ExchangeSocket.prototype, name, { value: undefined, writable: true, configurable: true })
}
Object.setPrototypeOf(
  ExchangeSocket.prototype,
  new Proxy(Object.create(Socket.prototype) as object, {
    get: (_target, name, receiver) =>
      typeof name === "string" && !name.startsWith("_") && receiver instanceof ExchangeSocket
        ? ExchangeSocket.readOuter(receiver, name)
        : undefined,
    set: (_target, name, value, receiver) =>
      Reflect.defineProperty(receiver as object, name, { value, writable: true, enumerable: true, configurable: true }),
    has: () => false,
  }),
)
