import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Exchange, ExchangeRequest } from "@multistatus/node-exchange"
import { comparable, startTwin, type Twin } from "@multistatus/node-exchange/testing"
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
  // Compressed, Fastify itself sends trailers beside a content-length, which clients refuse.
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

const variable = ["x-ratelimit-reset", "x-ratelimit-remaining"]

describe("the exchange of Fastify", () => {
  const log: Array<string> = []
  let fastify: FastifyInstance
  let exchange: Exchange
  let twin: Twin
  beforeAll(async () => {
    fastify = await richServer(log)
    exchange = fastifyExchange(fastify)
    twin = await startTwin((request, response) => fastify.routing(request, response))
  })
  afterAll(async () => {
    await twin.close()
    await fastify.close()
  })

  const table = ["identity", "gzip"].flatMap((encoding) =>
    requests.map((request, n) => ({
      name: `${n} ${request.method} ${request.url} ${encoding}`,
      request: { ...request, headers: { "accept-encoding": encoding, ...request.headers } },
    })),
  )
  it.each(table)("answers as over a socket: $name", async ({ request }) => {
    const real = await twin.overSocket(request)
    const ours = await twin.throughExchange(exchange, request)
    expect(comparable(ours, real, variable)).toEqual(comparable(real, ours, variable))
  })

  it("runs the hooks that follow a response", async () => {
    for (const url of ["/json", "/stream", "/nowhere", "/hijack"]) {
      log.length = 0
      await twin.overSocket(get(url))
      await new Promise((resolve) => setTimeout(resolve, 20))
      const real = log.splice(0)
      await twin.throughExchange(exchange, get(url))
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(log).toEqual(real)
      expect(log).toHaveLength(1)
    }
  })

  it("fails where the connection breaks over a socket", async () => {
    await expect(twin.overSocket(get("/destroyed"))).rejects.toThrow()
    await expect(twin.throughExchange(exchange, get("/destroyed"))).rejects.toMatchObject({ reason: "destroyed" })
  })

  it("leaves live requests before, during and after a hundred sub-requests as they are", async () => {
    const probe = async () => {
      const urls = ["/json", "/nowhere", "/file", "/inner/here", "/stream"]
      const received = await Promise.all(urls.map((url) => twin.overSocket(get(url))))
      return received.map(({ status, headers, body }) => ({ status, headers: stable(headers), body: body.toString() }))
    }
    const before = await probe()
    const all = Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        twin.throughExchange(exchange, n % 2 === 0 ? get("/json") : post("/echo", person)),
      ),
    )
    const during = probe()
    expect((await all).every(({ status }) => status < 300)).toBe(true)
    expect(await during).toEqual(before)
    expect(await probe()).toEqual(before)
  })
})

const stable = (headers: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => ![...variable, "date"].includes(name)))
