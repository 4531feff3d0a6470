/**
 * The connection that a sub-request believes it came over.
 *
 * Applications ask sockets who is calling (address, certificate), listen on them and destroy them. The first is answered
 * by the outer request's connection; the other two must never reach it, or one sub-request could end the whole batch.
 */
import { EventEmitter } from "node:events"
import type { ServerResponse } from "node:http"
import { Socket } from "node:net"

/**
 * @internal
 */
export interface SocketOwner {
  /** The application, or the caller through `abort`, ended the connection. */
  readonly onSocketClosed: (error: Error | undefined) => void
  /** Nothing happened on the connection for as long as the application asked; answers whether anybody listened. */
  readonly onSocketTimeout: () => boolean
}

/**
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

  // Read for every header that is set: worth a getter of its own.
  get server(): unknown {
    return (this.#outer as { readonly server?: unknown }).server
  }
  get remoteAddress(): string | undefined {
    return this.#outer.remoteAddress
  }
  get encrypted(): unknown {
    return (this.#outer as { readonly encrypted?: unknown }).encrypted
  }

  destroy(error?: Error): this {
    if (this.destroyed) return this
    this.#end()
    this.errored = error ?? null
    process.nextTick(closeSocket, this, this.#owner, error)
    return this
  }

  /** Lets whoever waits for the connection to close know, once the response is over. */
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
      this.#timer = setTimeout(timeOut, milliseconds, this, this.#owner).unref()
      if (onTimeout !== undefined) this.once("timeout", onTimeout)
    } else if (onTimeout !== undefined) {
      this.removeListener("timeout", onTimeout)
    }
    return this
  }

  /** Something was written: the idle time starts again. */
  touch(): void {
    this.#timer?.refresh()
  }

  /** What the outer connection says, for names that this class has no opinion on. */
  static ask(socket: ExchangeSocket, name: string): unknown {
    const outer = socket.#outer as unknown as Readonly<Record<string, unknown>>
    const value = outer[name]
    if (typeof value !== "function") return value
    // Questions about the peer; whatever else a socket can be told to do is none of a sub-request's business.
    return question.test(name) ? value.bind(outer) : undefined
  }
}

const question = /^(?:get|is|exportKeyingMaterial$|address$)/

const closeSocket = (socket: ExchangeSocket, owner: SocketOwner, error: Error | undefined): void => {
  // The server listens for errors on its sockets, so there an error that nobody else listens for is no exception.
  if (error !== undefined && error !== null && socket.listenerCount("error") > 0) socket.emit("error", error)
  owner.onSocketClosed(error)
  socket.emit("close", error !== undefined && error !== null)
}

const timeOut = (socket: ExchangeSocket, owner: SocketOwner): void => {
  const heard = owner.onSocketTimeout()
  socket.emit("timeout")
  if (!heard) socket.destroy()
}

const chain = function <A>(this: A): A {
  return this
}
const accept = (_chunk?: unknown, encoding?: unknown, callback?: unknown): boolean => {
  const written = typeof encoding === "function" ? encoding : callback
  if (typeof written === "function") process.nextTick(written as () => void)
  return true
}
const destroy = function (this: ExchangeSocket): ExchangeSocket {
  return this.destroy()
}

// Constants and no-ops live on the prototype, not in each object. `writableCorked` is 1 because Node else schedules a tick
// to uncork what is not corked; `_writableState` because its `end` writes to it.
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
  pause: chain,
  resume: chain,
  ref: chain,
  unref: chain,
  setNoDelay: chain,
  setKeepAlive: chain,
  setEncoding: chain,
  write: accept,
  end: destroy,
  destroySoon: destroy,
  resetAndDestroy: destroy,
})

// Everything else (addresses, TLS state, and what the application itself noted on the connection) is asked of the outer
// socket through a proxy at the very end of the prototype chain, where names that are known above never arrive. It stands
// before `Socket.prototype` so that `instanceof Socket` holds and none of its methods is inherited.
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
        ? ExchangeSocket.ask(receiver, name)
        : undefined,
    set: (_target, name, value, receiver) =>
      Reflect.defineProperty(receiver as object, name, { value, writable: true, enumerable: true, configurable: true }),
    has: () => false,
  }),
)
