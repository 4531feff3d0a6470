/**
 * One application, reached in two ways: over a keep-alive connection, and through an exchange.
 *
 * What an exchange promises is that no application can tell the difference; this is how to hold it to that.
 */
import { Agent, createServer, type IncomingMessage, request as openRequest, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import type { Exchange } from "../Exchange.ts"
import type { ExchangeRequest } from "../ExchangeRequest.ts"

/** What a client received. */
export interface Reception {
  readonly status: number
  readonly statusMessage: string
  readonly headers: Readonly<Record<string, ReadonlyArray<string>>>
  readonly body: Buffer
}

/** A listening application and a request to it that waits for its answer, as the outer request of a batch does. */
export interface Twin {
  readonly port: number
  readonly outer: IncomingMessage
  /** Sends a request over a kept-alive connection. Rejects when the connection breaks. */
  readonly overSocket: (request: ExchangeRequest) => Promise<Reception>
  /** Dispatches it through an exchange. Rejects with the failure when there is one. */
  readonly throughExchange: (exchange: Exchange, request: ExchangeRequest) => Promise<Reception>
  readonly close: () => Promise<void>
}

/** Serves an application on a free port of the loopback interface. */
export const startTwin = async (handle: RequestListener): Promise<Twin> => {
  const waiting = Promise.withResolvers<IncomingMessage>()
  const server = createServer((request, response) => {
    if (request.headers["x-outer"] === "wait") waiting.resolve(request)
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
    outer: await waiting.promise,
    overSocket: (request) => overSocket(agent, port, request),
    throughExchange: async (exchange, request) => throughExchange(exchange, await waiting.promise, request),
    close: async () => {
      agent.destroy()
      first.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const overSocket = (agent: Agent, port: number, request: ExchangeRequest): Promise<Reception> =>
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

const throughExchange = (exchange: Exchange, outer: IncomingMessage, request: ExchangeRequest): Promise<Reception> =>
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

const ofTheConnection = ["date", "connection", "keep-alive", "transfer-encoding"]

/**
 * What two receptions must have in common.
 *
 * **Details**
 * Left out are the headers of the connection, those named in `except`, and `content-length` where the other one has none
 * (a response without it is chunked on a socket). Bodies are compared as bytes.
 */
export const comparable = (reception: Reception, other: Reception, except: ReadonlyArray<string> = []): object => {
  const left = new Set([...ofTheConnection, ...except])
  if (other.headers["content-length"] === undefined) left.add("content-length")
  return {
    status: reception.status,
    statusMessage: reception.statusMessage,
    headers: Object.fromEntries(
      Object.entries(reception.headers)
        .filter(([name]) => !left.has(name))
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
    body: reception.body.toString("latin1"),
  }
}
