/** A server on `node:http` without a framework, with a JSON batch at `POST /batch` and a health check. */
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"
import type { BatchOptions, RequestsOptions } from "@multistatus/core"
import { createBatch } from "@multistatus/core/adapter"
import {
  bytesOf,
  disconnectSignal,
  isSubRequest,
  makeExchange,
  nodePlatform,
  send,
  writeAnswer,
} from "@multistatus/node-exchange"

/** A request as the routes get it. */
export interface PlainRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly body: Buffer
}

/** A route; answers by itself. */
export type PlainRoute = (request: PlainRequest, response: ServerResponse) => unknown

/** One response of the batch. */
export interface PlainResponse {
  readonly id: string
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: unknown
}

/** A running server. */
export interface PlainHost {
  readonly origin: string
  /** Posts the text of a batch. */
  readonly post: (text: string, headers?: Readonly<Record<string, string>>) => Promise<Response>
  /** Posts a batch of requests and returns its responses; fails unless the status is 200. */
  readonly batch: (
    requests: ReadonlyArray<object>,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<ReadonlyArray<PlainResponse>>
  readonly close: () => Promise<unknown>
}

/** Starts a server. `routes` are by path. */
export const startPlainHost = async (
  routes: Readonly<Record<string, PlainRoute>>,
  options: BatchOptions & RequestsOptions = {},
): Promise<PlainHost> => {
  const route = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "GET", url = "/", headers } = request
    const { pathname: path } = new URL(url, "http://host")
    if (path === "/batch") return answerBatch(request, response)
    if (path === "/health") return void response.end("well")
    const found = routes[`/${path.split("/")[1]}`]
    if (found === undefined) return void response.writeHead(404).end()
    await found({ method, path, headers, body: await buffer(request) }, response)
  }
  const exchange = makeExchange({ handle: route })
  const endpoint = createBatch<IncomingMessage>({}, nodePlatform).requests(
    (request, call, { request: outer }) =>
      send(exchange, { ...request, parsed: request.json }, outer as IncomingMessage, (abort) => call.onAbort(abort)),
    options,
  )
  const answerBatch = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const answer = await endpoint.handle({
      method: "POST",
      url: "/batch",
      headers: request.headers,
      body: { _tag: "Stream", bytes: bytesOf(request) },
      isSubRequest: isSubRequest(request),
      signal: disconnectSignal(response),
      raw: request,
    })
    writeAnswer(request, response, answer)
  }
  const server = createServer((request, response) => void route(request, response)).listen(0, "127.0.0.1")
  await once(server, "listening")
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const post: PlainHost["post"] = (text, headers) =>
    fetch(`${origin}/batch`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: text,
    })
  return {
    origin,
    post,
    batch: async (requests, headers) => {
      const response = await post(JSON.stringify({ requests }), headers)
      if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
      return ((await response.json()) as { readonly responses: ReadonlyArray<PlainResponse> }).responses
    },
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}
