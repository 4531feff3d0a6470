/** HTTP by hand over one socket, for clients that do not behave. */
import { connect, type Socket } from "node:net"
import { once } from "node:events"

/** One answer as it came over the wire. */
export interface WireAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A connection; nothing is sent or expected by itself. */
export class Wire {
  readonly socket: Socket
  /** Settles when the connection has ended, by whomever. */
  readonly ended: Promise<void>
  #received: Buffer = Buffer.alloc(0)
  /** What came since `#received` was put together: a large answer is not copied with every packet. */
  #arrived: Array<Buffer> = []
  #arrivedBytes = 0
  #needed = 0
  #closed = false
  #wake = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setMaxListeners(0)
    socket.on("error", () => undefined)
    socket.on("drain", () => this.#wake())
    socket.on("data", (data: Buffer) => {
      this.#arrived.push(data)
      this.#arrivedBytes += data.length
      if (this.#arrivedBytes >= this.#needed) this.#wake()
    })
    this.ended = new Promise((resolve) => {
      socket.on("close", () => {
        this.#closed = true
        this.#wake()
        resolve()
      })
    })
  }

  static async open(port: number): Promise<Wire> {
    const socket = connect(port, "127.0.0.1")
    await once(socket, "connect")
    return new Wire(socket)
  }

  get isClosed(): boolean {
    return this.#closed
  }

  send(...parts: ReadonlyArray<string | Uint8Array>): this {
    for (const part of parts) this.socket.write(part)
    return this
  }

  /** Sends the head of a batch request, with or without a declared length. */
  head(path: string, headers: Readonly<Record<string, string | number>>): this {
    const lines = Object.entries({ host: "127.0.0.1", "content-type": "application/json", ...headers })
    return this.send(`POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`)
  }

  /** Sends one chunk of a chunked body. */
  chunk(bytes: string | Uint8Array): this {
    return this.send(`${Buffer.byteLength(bytes).toString(16)}\r\n`, bytes, "\r\n")
  }

  /** The next answer; fails if the connection ends before it is whole. */
  async answer(): Promise<WireAnswer> {
    for (;;) {
      this.#received = Buffer.concat([this.#received, ...this.#arrived])
      this.#arrived = []
      this.#arrivedBytes = 0
      this.#needed = 0
      const end = this.#received.indexOf("\r\n\r\n")
      if (end !== -1) {
        const [statusLine = "", ...lines] = this.#received.subarray(0, end).toString().split("\r\n")
        const headers = Object.fromEntries(
          lines.map((line) => [line.split(":", 1)[0]!.toLowerCase(), line.replace(/^[^:]*: */, "")]),
        )
        const status = Number(statusLine.split(" ")[1])
        const length = Number(headers["content-length"] ?? 0)
        if (this.#received.length >= end + 4 + length) {
          const body = this.#received.subarray(end + 4, end + 4 + length).toString()
          this.#received = this.#received.subarray(end + 4 + length)
          return { status, headers, body }
        }
        this.#needed = end + 4 + length - this.#received.length
      }
      if (this.#closed) throw new Error(`The connection ended after: ${this.#received.toString().slice(0, 500)}`)
      await this.#change()
    }
  }

  /** Sends a piece again and again, as fast as it is taken; answers how much was sent before the connection ended. */
  async flood(piece: Uint8Array, bytes: number, form: "plain" | "chunked" = "plain"): Promise<number> {
    let sent = 0
    for (; sent < bytes && !this.#closed; sent += piece.length) {
      if (form === "chunked") this.chunk(piece)
      else this.socket.write(piece)
      while (this.socket.writableNeedDrain && !this.#closed) await this.#change()
    }
    return sent
  }

  /** Goes away without a word. */
  vanish(): void {
    this.socket.resetAndDestroy()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const others = this.#wake
      this.#wake = () => {
        this.#wake = others
        others()
        resolve()
      }
    })
  }
}
