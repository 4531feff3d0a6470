/**
 * HTTP/1.1 over a raw connection, under full control of the bytes that are sent and received. Ordinary clients follow
 * redirects, decompress bodies and add headers, which would hide differences.
 */

/** A connection to the server, such as a socket of `node:net`. */
export interface Connection {
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown
  on(event: "close", listener: () => void): unknown
  on(event: "error", listener: (error: Error) => void): unknown
  write(bytes: Uint8Array): unknown
  /** Pauses reading; `resume` continues it. */
  pause(): unknown
  resume(): unknown
  destroy(): unknown
}

/** A request on the wire. */
export interface WireRequest {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | Uint8Array | undefined
}

/** A response on the wire. */
export interface WireResponse {
  readonly status: number
  /** By lower-case name; several lines of one name are joined with `, `. */
  readonly headers: Readonly<Record<string, string>>
  /** The body without its transfer coding; a content coding is not decoded. */
  readonly body: Uint8Array
  /** Returns the whole response, with each byte as a character of Latin-1. */
  readonly raw: () => string
}

/** A connection over which requests are sent one after another. */
export interface Wire {
  readonly send: (request: WireRequest) => Promise<WireResponse>
  readonly write: (bytes: Uint8Array) => void
  /** Reads the next response; rejects if the connection ends before it is complete. */
  readonly receive: (method: string) => Promise<WireResponse>
  /** Sends parts slowly without reading meanwhile, as most clients do with a body. */
  readonly sendBlindly: (parts: ReadonlyArray<Uint8Array>) => Promise<void>
  readonly destroy: () => void
}

/** Uses a connection for HTTP. */
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
  const receive = async (method: string): Promise<WireResponse> => {
    for (;;) {
      const parsed = parse(bytes, method, closed !== undefined)
      if (parsed !== undefined) {
        bytes = bytes.slice(parsed.end)
        return parsed.response
      }
      if (closed !== undefined) throw new Error(`No complete response: ${closed.message}`, { cause: latin1(bytes) })
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  const write = (data: Uint8Array) => void connection.write(data)
  const send = (request: WireRequest) => {
    write(toBytes(request, host))
    return receive(request.method)
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

/** Encodes a request. Without a body only the head is written. */
export const toBytes = ({ method, url, headers = {}, body }: WireRequest, host: string): Uint8Array => {
  const content = typeof body === "string" ? utf8(body) : body
  const needsLength = method === "POST" || method === "PUT" || method === "PATCH"
  const isFramed = headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined
  const length = isFramed || (content === undefined && !needsLength) ? [] : [`content-length: ${content?.length ?? 0}`]
  const own = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const head = [`${method} ${url} HTTP/1.1`, `host: ${host}`, ...own, ...length].map((line) => `${line}\r\n`).join("")
  return concat([fromLatin1(`${head}\r\n`), content ?? new Uint8Array()])
}

/** Encodes text in UTF-8. */
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Decodes bytes as Latin-1. */
export const latin1 = (bytes: Uint8Array): string => {
  let text = ""
  for (let start = 0; start < bytes.length; start += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(start, start + 0x8000))
  }
  return text
}

const fromLatin1 = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))

const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

interface ParsedResponse {
  readonly response: WireResponse
  readonly end: number
}

// Undefined while the response is incomplete.
const parse = (bytes: Uint8Array, method: string, isClosed: boolean): ParsedResponse | undefined => {
  const bodyAt = indexOf(bytes, [13, 10, 13, 10], 0) + 4
  if (bodyAt === 3) return undefined
  const [line = "", ...lines] = latin1(bytes.subarray(0, bodyAt - 4)).split("\r\n")
  const status = Number(line.split(" ")[1])
  const headers = readHeaders(lines)
  const body = readBody(bytes, bodyAt, { headers, isClosed, isEmpty: method === "HEAD" || [204, 304].includes(status) })
  if (body === undefined) return undefined
  const raw = () => latin1(bytes.subarray(0, body.end))
  return { response: { status, headers, body: body.content, raw }, end: body.end }
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
