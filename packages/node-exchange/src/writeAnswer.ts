/** The answer to a server's request, also to one whose body was not read to its end. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"

/** What is answered. */
export interface NodeAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, number | string | ReadonlyArray<string> | undefined>>
  readonly body: string
  /** What follows `body` as it comes; undefined for nothing. */
  readonly stream?: AsyncIterable<string> | undefined
  /** Whether part of the request's body was left unread: the connection ends with this answer. */
  readonly close: boolean
}

/** How long a client may go on sending a body that nobody reads, before it is cut off, in milliseconds. */
const drainMs = 500

/** How much of it is taken meanwhile: what is thrown away fills memory as well, until it is collected. */
const drainBytes = 256 * 1024

/**
 * Writes an answer.
 *
 * **Details**
 * A client that is still sending reads no answer when its connection ends under it, so the connection stays open for half
 * a second. The first 256 KiB of what arrives then are thrown away; the rest is not taken from the connection at all.
 */
export const writeAnswer = (request: IncomingMessage, response: ServerResponse, answer: NodeAnswer): void => {
  if (response.destroyed || response.headersSent) return
  response.statusCode = answer.status
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined) response.setHeader(name, value)
  }
  if (answer.stream !== undefined) {
    // What fails or is given up half-way ends the connection: the client must not take it for the whole.
    pipeline(Readable.from(following(answer.body, answer.stream)), response).catch(() => response.destroy())
    return
  }
  if (!answer.close || request.complete) {
    response.end(answer.body)
    return
  }
  response.setHeader("connection", "close")
  response.setHeader("content-length", Buffer.byteLength(answer.body))
  response.write(answer.body)
  const end = () => {
    clearTimeout(timer)
    response.end()
  }
  const timer = setTimeout(end, drainMs)
  let room = drainBytes
  request
    .once("end", end)
    .once("close", end)
    .on("data", (chunk: Uint8Array) => {
      room -= chunk.length
      if (room < 0) request.pause()
    })
    .resume()
}

const following = async function* (first: string, rest: AsyncIterable<string>): AsyncGenerator<string> {
  if (first !== "") yield first
  yield* rest
}
