/** Writes the engine's response to Node's response. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"

/** A response of the engine. */
export interface NodeAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, number | string | ReadonlyArray<string> | undefined>>
  readonly body: string
  /** Text that is sent after `body`, as it is produced. */
  readonly stream?: AsyncIterable<string> | undefined
  /** Whether the request's body was not read to its end. The connection is then closed after the response. */
  readonly close: boolean
}

/** Milliseconds for which a client may keep sending a body that is not read, before the connection is closed. */
const drainMs = 500

/** Bytes that are read and discarded in that time. Discarded bytes also use memory until they are collected. */
const drainBytes = 256 * 1024

/**
 * Writes an answer to the response.
 *
 * **Details**
 * A client that is still sending its body does not read the response if the connection closes. Therefore the connection
 * stays open for up to 500 ms. The first 256 KiB that arrive in this time are discarded; the rest is not read.
 */
export const writeAnswer = (request: IncomingMessage, response: ServerResponse, answer: NodeAnswer): void => {
  if (response.destroyed || response.headersSent) return
  response.statusCode = answer.status
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined) response.setHeader(name, value)
  }
  if (answer.stream !== undefined) {
    // If the stream fails, the connection is closed, so the client does not take a part for the whole response.
    pipeline(Readable.from(concat(answer.body, answer.stream)), response).catch(() => response.destroy())
    return
  }
  if (!answer.close || request.complete) {
    response.end(answer.body)
    return
  }
  // HTTP/2 has no such header: there, the end of the response ends its stream.
  if (request.httpVersionMajor < 2) response.setHeader("connection", "close")
  response.setHeader("content-length", Buffer.byteLength(answer.body))
  response.write(answer.body)
  const end = () => {
    clearTimeout(timer)
    response.end()
  }
  const timer = setTimeout(end, drainMs)
  let remaining = drainBytes
  request
    .once("end", end)
    .once("close", end)
    .on("data", (chunk: Uint8Array) => {
      remaining -= chunk.length
      if (remaining < 0) request.pause()
    })
    .resume()
}

const concat = async function* (first: string, rest: AsyncIterable<string>): AsyncGenerator<string> {
  if (first !== "") yield first
  yield* rest
}
