/**
 * HTTP/1.1 over a raw connection: what a client sends is exactly what it was told to send, and what it received can be
 * read to the byte. Clients that follow, decompress or add headers would hide what an adapter has to prove.
 */

/** A connection to the server; `node:net`'s sockets are such. */
export interface Connection {
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown
  on(event: "close", listener: () => void): unknown
  on(event: "error", listener: (error: Error) => void): unknown
  write(bytes: Uint8Array): unknown
  /** Stops and starts reading. */
  pause(): unknown
  resume(): unknown
  destroy(): unknown
}

/** A request as it goes over the wire. */
export interface Message {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | Uint8Array | undefined
}

/** A response as it came over the wire. */
export interface Received {
  readonly status: number
  /** By lower-case name; several lines of one name joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  /** Without its framing; a content coding is left on. */
  readonly body: Uint8Array
  /** Everything, byte by byte as characters of Latin-1; made when it is asked for. */
  readonly raw: () => string
}

/** A connection that requests are sent over one after another. */
export interface Wire {
  readonly send: (message: Message) => Promise<Received>
  readonly write: (bytes: Uint8Array) => void
  /** The next response. Rejects if the connection ends before it is whole. */
  readonly receive: (method: string) => Promise<Received>
  /** Sends for a while without reading what comes meanwhile, as most clients do with a body. */
  readonly sendBlindly: (parts: ReadonlyArray<Uint8Array>) => Promise<void>
  readonly destroy: () => void
}

export const open = (connection: Connection, host: string): Wire => {
  let bytes = new Uint8Array()
  let closed: Error | undefined
  let wake = () => {}
  connection.on("data", (chunk) => {
    bytes = concat([bytes, chunk])
    wake()
  })
  connection.on("error", (error) => {
    closed ??= error
  })
  connection.on("close", () => {
    closed ??= new Error("The connection was closed")
    wake()
  })
  const receive = async (method: string): Promise<Received> => {
    for (;;) {
      const found = read(bytes, method, closed !== undefined)
      if (found !== undefined) {
        bytes = bytes.slice(found.end)
        return found.received
      }
      if (closed !== undefined) throw new Error(`No whole response: ${closed.message}`, { cause: latin1(bytes) })
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  const write = (data: Uint8Array) => void connection.write(data)
  const send = (message: Message) => {
    write(toBytes(message, host))
    return receive(message.method)
  }
  const sendBlindly = async (parts: ReadonlyArray<Uint8Array>) => {
    connection.pause()
    for (const part of parts) {
      write(part)
      await new Promise((resolve) => setTimeout(resolve, 4))
    }
    connection.resume()
  }
  return { send, write, receive, sendBlindly, destroy: () => void connection.destroy() }
}

/** A request with a body of known length, or the head alone where the body is left out. */
export const toBytes = ({ method, url, headers = {}, body }: Message, host: string): Uint8Array => {
  const content = typeof body === "string" ? utf8(body) : body
  const expects = method === "POST" || method === "PUT" || method === "PATCH"
  const isFramed = headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined
  const length = isFramed || (content === undefined && !expects) ? [] : [`content-length: ${content?.length ?? 0}`]
  const own = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const head = [`${method} ${url} HTTP/1.1`, `host: ${host}`, ...own, ...length].map((line) => `${line}\r\n`).join("")
  return concat([fromLatin1(`${head}\r\n`), content ?? new Uint8Array()])
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Bytes as characters. */
export const latin1 = (bytes: Uint8Array): string => {
  let text = ""
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000))
  return text
}

const fromLatin1 = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))

const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

interface Found {
  readonly received: Received
  readonly end: number
}

// Undefined as long as the response is not whole.
const read = (bytes: Uint8Array, method: string, isClosed: boolean): Found | undefined => {
  const bodyAt = indexOf(bytes, [13, 10, 13, 10], 0) + 4
  if (bodyAt === 3) return undefined
  const [line = "", ...lines] = latin1(bytes.subarray(0, bodyAt - 4)).split("\r\n")
  const status = Number(line.split(" ")[1])
  const headers = readHeaders(lines)
  const body = readBody(bytes, bodyAt, { headers, isClosed, isEmpty: method === "HEAD" || [204, 304].includes(status) })
  if (body === undefined) return undefined
  const raw = () => latin1(bytes.subarray(0, body.end))
  return { received: { status, headers, body: body.content, raw }, end: body.end }
}

const readHeaders = (lines: ReadonlyArray<string>): Record<string, string> => {
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(":")
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return headers
}

interface Framing {
  readonly headers: Readonly<Record<string, string>>
  readonly isEmpty: boolean
  readonly isClosed: boolean
}

const readBody = (bytes: Uint8Array, start: number, { headers, isEmpty, isClosed }: Framing) => {
  if (isEmpty) return { content: new Uint8Array(), end: start }
  if (headers["transfer-encoding"] === "chunked") return readChunks(bytes, start)
  const length = headers["content-length"]
  if (length === undefined) return isClosed ? { content: bytes.slice(start), end: bytes.length } : undefined
  const end = start + Number(length)
  return bytes.length < end ? undefined : { content: bytes.slice(start, end), end }
}

const readChunks = (bytes: Uint8Array, start: number) => {
  const chunks: Array<Uint8Array> = []
  for (let at = start; ;) {
    const lineEnd = indexOf(bytes, [13, 10], at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(latin1(bytes.subarray(at, lineEnd)), 16)
    const next = lineEnd + 2 + size + 2
    if (bytes.length < next) return undefined
    if (size === 0) return { content: concat(chunks), end: next }
    chunks.push(bytes.subarray(lineEnd + 2, next - 2))
    at = next
  }
}

const indexOf = (bytes: Uint8Array, wanted: ReadonlyArray<number>, from: number): number => {
  for (let at = bytes.indexOf(wanted[0]!, from); at !== -1; at = bytes.indexOf(wanted[0]!, at + 1)) {
    if (wanted.every((byte, offset) => bytes[at + offset] === byte)) return at
  }
  return -1
}
