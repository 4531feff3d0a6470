/**
 * Serves one application over a keep-alive connection and through an exchange, to compare the two responses.
 *
 * An application must not notice whether a request arrives over a socket or through an exchange.
 */
import { Agent, createServer, type IncomingMessage, request as openRequest, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import type { Exchange } from "../Exchange.ts"
import type { ExchangeRequest } from "../ExchangeRequest.ts"

/** A response as a client received it. */
export interface ReceivedResponse {
  readonly status: number
  readonly statusMessage: string
  readonly headers: Readonly<Record<string, ReadonlyArray<string>>>
  readonly body: Buffer
}

/** A listening application, and a request to it that is still open, like the outer request of a batch. */
export interface ComparisonServer {
  readonly port: number
  /** The open request, for `dispatch`. */
  readonly outer: IncomingMessage
  /** Sends a request over a keep-alive connection. Rejects if the connection breaks. */
  readonly overSocket: (request: ExchangeRequest) => Promise<ReceivedResponse>
  /** Dispatches a request through an exchange. Rejects with the `ExchangeFailure` if there is no reply. */
  readonly throughExchange: (exchange: Exchange, request: ExchangeRequest) => Promise<ReceivedResponse>
  readonly close: () => Promise<void>
}

/** Serves an application on a free port of the loopback interface. */
export const startComparisonServer = async (handle: RequestListener): Promise<ComparisonServer> => {
  const outer = Promise.withResolvers<IncomingMessage>()
  const server = createServer((request, response) => {
    if (request.headers["x-outer"] === "wait") outer.resolve(request)
    else handle(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const first = openRequest({ port, host: "127.0.0.1", headers: { host: `127.0.0.1:${port}`, "x-outer": "wait" } })
  first.on("error", () => {})
  first.end()
  return {
    port,
    outer: await outer.promise,
    overSocket: (request) => overSocket(agent, port, request),
    throughExchange: async (exchange, request) => throughExchange(exchange, await outer.promise, request),
    close: async () => {
      agent.destroy()
      first.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const overSocket = (agent: Agent, port: number, request: ExchangeRequest): Promise<ReceivedResponse> =>
  new Promise((resolve, reject) => {
    const { method, url, headers } = request
    const body = typeof request.body === "function" ? request.body() : request.body
    const outgoing = openRequest({ agent, host: "127.0.0.1", port, method, path: url })
    for (const name in headers) outgoing.setHeader(name, headers[name] as string | ReadonlyArray<string>)
    if (body !== undefined) outgoing.setHeader("content-length", Buffer.byteLength(body))
    outgoing.on("error", reject)
    outgoing.on("response", (incoming) => {
      const chunks: Array<Buffer> = []
      incoming.on("error", reject)
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
      incoming.on("end", () =>
        resolve({
          status: incoming.statusCode ?? 0,
          statusMessage: incoming.statusMessage ?? "",
          headers: { ...incoming.headersDistinct } as Readonly<Record<string, ReadonlyArray<string>>>,
          body: Buffer.concat(chunks),
        }),
      )
    })
    outgoing.end(body)
  })

const throughExchange = (
  exchange: Exchange,
  outer: IncomingMessage,
  request: ExchangeRequest,
): Promise<ReceivedResponse> =>
  new Promise((resolve, reject) => {
    exchange.dispatch(request, outer, (result) => {
      if (result._tag === "ExchangeFailure") {
        reject(result)
        return
      }
      const headers: Record<string, ReadonlyArray<string>> = {}
      for (const name in result.headers) headers[name] = [result.headers[name] ?? []].flat()
      const { status, statusMessage } = result
      resolve({ status, statusMessage, headers, body: Buffer.from(result.body) })
    })
  })

const connectionHeaders = ["date", "connection", "keep-alive", "transfer-encoding"]

/**
 * Returns the part of a response that must equal that of the other one.
 *
 * **Details**
 * It leaves out the headers of the connection, the headers named in `except`, and `content-length` if `other` has none: on
 * a socket a response without it is chunked. Bodies are compared as bytes.
 */
export const comparablePart = (
  response: ReceivedResponse,
  other: ReceivedResponse,
  except: ReadonlyArray<string> = [],
): object => {
  const ignored = new Set([...connectionHeaders, ...except])
  if (other.headers["content-length"] === undefined) ignored.add("content-length")
  return {
    status: response.status,
    statusMessage: response.statusMessage,
    headers: Object.fromEntries(
      Object.entries(response.headers)
        .filter(([name]) => !ignored.has(name))
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
    body: response.body.toString("latin1"),
  }
}
