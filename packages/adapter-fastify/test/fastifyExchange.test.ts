import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Exchange, ExchangeRequest } from "@multistatus/node-exchange"
import { comparablePart, type ComparisonServer, startComparisonServer } from "@multistatus/node-exchange/testing"
import type { FastifyInstance } from "fastify"
import { fastifyExchange } from "../src/fastifyExchange.ts"
import { richServer } from "./fixtures/richServer.ts"

type Headers = ExchangeRequest["headers"]

const get = (url: string, headers: Headers = {}): ExchangeRequest => ({ method: "GET", url, headers })
const call = (method: string, url: string, headers: Headers = {}): ExchangeRequest => ({ method, url, headers })
const post = (
  url: string,
  body?: string | Uint8Array,
  type = "application/json",
  headers: Headers = {},
): ExchangeRequest => ({
  method: "POST",
  url,
  headers: { "content-type": type, ...headers },
  body,
})

const person = JSON.stringify({ name: "Zoë", tags: ["a", "b"], nested: { n: 1.5 } })

const requests: ReadonlyArray<ExchangeRequest> = [
  ...["/json", "/json/big", "/schema/5", "/schema/five", "/text", "/buffer", "/callback", "/nothing", "/stream"].map(
    (url) => get(url),
  ),
  ...[
    "/stream/web",
    "/stream/big",
    "/stream/missing",
    "/response",
    "/redirect",
    "/status/204",
    "/status/304",
    "/status/503",
  ].map((url) => get(url)),
  ...["/no-content", "/file", "/download", "/throws", "/rejects", "/cookies", "/session", "/hijack", "/hints"].map(
    (url) => get(url),
  ),
  ...[
    "/bad-header",
    "/caller?a=1&a=2",
    "/inner/here?x",
    "/inner/fails",
    "/inner/nowhere",
    "/nowhere?q=<b>",
    "/static/page.html",
  ].map((url) => get(url)),
  ...["/static/none", "/static/../x", "/%ff", "/schema/1/2"].map((url) => get(url)),
  ...["/json", "/json/big", "/stream", "/file", "/nowhere", "/throws"].map((url) => call("HEAD", url)),
  call("OPTIONS", "/json"),
  call("OPTIONS", "/json", { origin: "http://app.test", "access-control-request-method": "PUT" }),
  // With compression Fastify sends trailers together with a content-length, which clients reject.
  get("/trailer", { "accept-encoding": "identity" }),
  call("DELETE", "/json"),
  call("PUT", "/echo"),
  get("/json", { origin: "http://app.test", "x-refuse": "1" }),
  get("/static/page.html", { range: "bytes=5-20" }),
  get("/static/page.html", { "if-modified-since": new Date(Date.now() + 86_400_000).toUTCString() }),
  get("/caller", {
    "x-forwarded-for": "203.0.113.9, 10.0.0.1",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "shop.test",
  }),
  get("/cookies", { cookie: ["a=1", "b=2.wrong"] }),
  get("/headers", { "x-multi": ["a", "b"], "x-one": "é", authorization: "Basic eA==" }),
  post("/headers", person),
  post("/echo", person),
  post("/echo", "{bad"),
  post("/echo", ""),
  post("/echo"),
  post("/echo", '{"__proto__":{"a":1}}'),
  post("/echo", '{"constructor":{"prototype":{"a":1}}}'),
  post("/echo", JSON.stringify("x".repeat(3_000))),
  post("/echo", "a\nb", "application/vnd.lines"),
  post("/echo", "text", "text/plain"),
  post("/echo", "text", "text/iterated"),
  post("/echo", "a=1", "application/x-www-form-urlencoded"),
  post("/passed", person, "text/passed"),
  post("/bytes", new Uint8Array([1, 2, 255]), "application/octet-stream"),
  post("/checked", '{"name":"Bob"}'),
  post("/checked", '{"name":"Robert"}'),
  post("/checked", "{}"),
  post("/nowhere", person),
]

/** Headers that change from request to request. */
const variable = ["x-ratelimit-reset", "x-ratelimit-remaining"]

describe("the exchange of Fastify", () => {
  const log: Array<string> = []
  let fastify: FastifyInstance
  let exchange: Exchange
  let server: ComparisonServer
  beforeAll(async () => {
    fastify = await richServer(log)
    exchange = fastifyExchange(fastify)
    server = await startComparisonServer((request, response) => fastify.routing(request, response))
  })
  afterAll(async () => {
    await server.close()
    await fastify.close()
  })

  const table = ["identity", "gzip"].flatMap((encoding) =>
    requests.map((request, n) => ({
      name: `${n} ${request.method} ${request.url} ${encoding}`,
      request: { ...request, headers: { "accept-encoding": encoding, ...request.headers } },
    })),
  )
  it.each(table)("replies as over a socket: $name", async ({ request }) => {
    const expected = await server.overSocket(request)
    const actual = await server.throughExchange(exchange, request)
    expect(comparablePart(actual, expected, variable)).toEqual(comparablePart(expected, actual, variable))
  })

  it("runs the onResponse hooks", async () => {
    for (const url of ["/json", "/stream", "/nowhere", "/hijack"]) {
      log.length = 0
      await server.overSocket(get(url))
      await new Promise((resolve) => setTimeout(resolve, 20))
      const expected = log.splice(0)
      await server.throughExchange(exchange, get(url))
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(log).toEqual(expected)
      expect(log).toHaveLength(1)
    }
  })

  it("fails where a connection over a socket breaks", async () => {
    await expect(server.overSocket(get("/destroyed"))).rejects.toThrow()
    await expect(server.throughExchange(exchange, get("/destroyed"))).rejects.toMatchObject({ reason: "destroyed" })
  })

  it("does not change requests over a socket before, during and after a hundred sub-requests", async () => {
    const readPages = async () => {
      const urls = ["/json", "/nowhere", "/file", "/inner/here", "/stream"]
      const received = await Promise.all(urls.map((url) => server.overSocket(get(url))))
      return received.map(({ status, headers, body }) => ({
        status,
        headers: withoutVariable(headers),
        body: body.toString(),
      }))
    }
    const before = await readPages()
    const all = Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        server.throughExchange(exchange, n % 2 === 0 ? get("/json") : post("/echo", person)),
      ),
    )
    const during = readPages()
    expect((await all).every(({ status }) => status < 300)).toBe(true)
    expect(await during).toEqual(before)
    expect(await readPages()).toEqual(before)
  })
})

const withoutVariable = (headers: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => ![...variable, "date"].includes(name)))
