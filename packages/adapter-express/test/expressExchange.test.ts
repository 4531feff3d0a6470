import { gzipSync } from "node:zlib"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import type { ExchangeRequest } from "@multistatus/node-exchange"
import { comparablePart, type ComparisonServer, startComparisonServer } from "@multistatus/node-exchange/testing"
import express5 from "express"
import express4 from "express4"
import { expressExchange } from "../src/expressExchange.ts"
import { richApp } from "./fixtures/richApp.ts"

const get = (url: string, headers: ExchangeRequest["headers"] = {}): ExchangeRequest => ({
  method: "GET",
  url,
  headers,
})
const call = (method: string, url: string, headers: ExchangeRequest["headers"] = {}): ExchangeRequest => ({
  method,
  url,
  headers,
})
const post = (
  url: string,
  body?: string | Uint8Array,
  type = "application/json",
  headers: ExchangeRequest["headers"] = {},
): ExchangeRequest => ({ method: "POST", url, headers: { "content-type": type, ...headers }, body })

const person = JSON.stringify({ name: "Zoë", tags: ["a", "b"], nested: { n: 1.5 } })

const requests: ReadonlyArray<ExchangeRequest> = [
  ...[
    "/json",
    "/json/big",
    "/text",
    "/html",
    "/buffer",
    "/end",
    "/end/latin1",
    "/nothing",
    "/stream",
    "/pipeline",
    "/chunks",
  ].map((url) => get(url)),
  ...["/pressure", "/redirect", "/redirect/relative", "/status/204", "/status/304", "/status/503", "/no-content"].map(
    (url) => get(url),
  ),
  ...["/file", "/download", "/missing", "/throws", "/next", "/teapot", "/cookies", "/session", "/head/array"].map(
    (url) => get(url),
  ),
  ...[
    "/head/record",
    "/append",
    "/flush",
    "/late-header",
    "/bad-header",
    "/trailers",
    "/hints",
    "/jsonp?callback=cb",
  ].map((url) => get(url)),
  ...[
    "/timeout",
    "/sub/here?x=1",
    "/sub/nowhere",
    "/router/items/a%20b",
    "/router/only",
    "/static/page.html",
    "/static/../x",
  ].map((url) => get(url)),
  ...["/static", "/custom", "/nowhere?q=<script>", "/%ff", "/caller?a[b]=1&c=2&c=3"].map((url) => get(url)),
  ...["/json", "/json/big", "/file", "/stream", "/nowhere", "/throws", "/redirect", "/end"].map((url) =>
    call("HEAD", url),
  ),
  ...["/json", "/router/only", "/nowhere"].map((url) => call("OPTIONS", url)),
  call("OPTIONS", "/json", { origin: "http://app.test", "access-control-request-method": "PUT" }),
  call("DELETE", "/json"),
  call("PUT", "/echo"),
  call("PATCH", "/router/only"),
  get("/json", { origin: "http://app.test" }),
  get("/json", { "if-none-match": 'W/"2c-gzEXb+QdOcdJ3+wOLE2ht0JsVhg", *' }),
  get("/json", { "if-none-match": "*" }),
  get("/file", { range: "bytes=5-20" }),
  get("/file", { range: "bytes=90000-" }),
  get("/file", { "if-modified-since": new Date(Date.now() + 86_400_000).toUTCString() }),
  get("/caller", {
    "x-forwarded-for": "203.0.113.9, 10.0.0.1",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "shop.test",
  }),
  get("/caller", { "x-requested-with": "XMLHttpRequest" }),
  get("/cookies", { cookie: "a=1; b=s%3A2.wrong; c=%7B%7D" }),
  get("/format", { accept: "application/json" }),
  get("/format", { accept: "text/html" }),
  get("/format", { accept: "image/png" }),
  get("/headers", { "x-multi": ["a", "b"], "x-one": "é", cookie: ["a=1", "b=2"], authorization: "Basic eA==" }),
  post("/headers", person),
  post("/echo", person),
  post("/echo", "{bad"),
  post("/echo", '"not strict"'),
  post("/echo", JSON.stringify("x".repeat(3_000))),
  post("/echo", "", "application/json"),
  post("/echo", undefined),
  post("/echo", "a=1&b[c]=2", "application/x-www-form-urlencoded"),
  post("/echo", "text body", "text/plain"),
  post("/echo", person, "application/vnd.other"),
  post("/echo", person, "application/json; charset=latin1"),
  post("/echo", gzipSync(person), "application/json", { "content-encoding": "gzip" }),
  post("/echo", person, "application/json", { "content-encoding": "gzip" }),
  post("/echo", person, "application/json", { "content-encoding": "magic" }),
  post("/verified", person),
  post("/verified", '{"a":"forbidden"}'),
  post("/lenient", "1.5", "x/y"),
  post("/raw", new Uint8Array([1, 2, 3, 255]), "application/octet-stream"),
  post("/unparsed", person),
  post("/unparsed/events", "y".repeat(200_000)),
  ...[
    "/unparsed/iterated",
    "/unparsed/piped",
    "/unparsed/encoded",
    "/unparsed/late",
    "/unparsed/paused",
    "/ignored",
    "/nowhere",
  ].map((url) => post(url, person)),
  post("/unparsed/events"),
]

/** Headers that change from request to request. */
const variable = ["ratelimit", "ratelimit-policy", "x-ratelimit-reset", "x-ratelimit-remaining", "x-ratelimit-limit"]

describe.each([
  { name: "Express 4", express: express4 as unknown as typeof express5 },
  { name: "Express 5", express: express5 },
])("the exchange of $name", ({ express }) => {
  const log: Array<string> = []
  const app = richApp(express, log)
  app.get("/async", async () => Promise.reject(new Error("rejected")))
  const exchange = expressExchange(app)
  let server: ComparisonServer
  beforeAll(async () => {
    // Express prints the errors that it responds to.
    vi.spyOn(console, "error").mockImplementation(() => {})
    server = await startComparisonServer(app)
  })
  afterAll(async () => {
    vi.restoreAllMocks()
    await server.close()
  })

  const encodings = ["identity", "gzip"]
  const table = encodings.flatMap((encoding) =>
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

  // In Express 4 a rejected handler is an unhandled rejection of the process.
  const rejecting = express === express5 ? ["/async"] : []
  it.each(rejecting)("replies to a rejected handler as over a socket: %s", async (url) => {
    const expected = await server.overSocket(get(url))
    const actual = await server.throughExchange(exchange, get(url))
    expect(expected.status).toBe(500)
    expect(comparablePart(actual, expected, variable)).toEqual(comparablePart(expected, actual, variable))
  })

  it("has the same response states and log lines as over a socket", async () => {
    for (const url of ["/states", "/json", "/nowhere", "/stream"]) {
      log.length = 0
      await server.overSocket(get(url))
      await new Promise((resolve) => setTimeout(resolve, 20))
      const expected = log.splice(0)
      await server.throughExchange(exchange, get(url))
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(log).toEqual(expected)
      expect(log.length).toBeGreaterThan(1)
    }
  })

  it("fails where a connection over a socket breaks", async () => {
    await expect(server.overSocket(get("/destroyed"))).rejects.toThrow()
    await expect(server.throughExchange(exchange, get("/destroyed"))).rejects.toMatchObject({ reason: "destroyed" })
  })

  it("does not change requests over a socket before, during and after a hundred sub-requests", async () => {
    const readPages = async () => {
      const received = await Promise.all(
        ["/json", "/nowhere", "/file", "/sub/here"].map((url) => server.overSocket(get(url))),
      )
      return received.map(({ status, headers, body }) => ({
        status,
        headers: withoutVariable(headers),
        body: body.toString(),
      }))
    }
    const before = await readPages()
    const slow = server.overSocket(post("/unparsed/late", person))
    const prototypes = [Object.getPrototypeOf(app.request), Object.getPrototypeOf(app.response)]
    const names = [Object.getOwnPropertyNames(app.request), Object.getOwnPropertyNames(app.response)]
    const all = Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        server.throughExchange(exchange, n % 2 === 0 ? get("/json") : post("/echo", person)),
      ),
    )
    const during = readPages()
    expect((await all).every(({ status }) => status < 300)).toBe(true)
    expect(await during).toEqual(before)
    expect(await readPages()).toEqual(before)
    expect((await slow).body.toString()).toBe(person)
    expect([Object.getPrototypeOf(app.request), Object.getPrototypeOf(app.response)]).toEqual(prototypes)
    expect([Object.getOwnPropertyNames(app.request), Object.getOwnPropertyNames(app.response)]).toEqual(names)
    expect(server.outer.socket.listenerCount("close")).toBeLessThan(5)
  })

  it("passes parsed bodies without serializing them only with preParsed", async () => {
    const parsed = { name: "given" }
    const request = { method: "POST", url: "/echo", headers: { "content-type": "application/json" }, parsed }
    const withoutText = { ...request, body: (): string => expect.unreachable() }
    const actual = await server.throughExchange(expressExchange(app, { preParsed: true }), withoutText)
    expect(JSON.parse(actual.body.toString())).toEqual({ body: parsed })
    const read = await server.throughExchange(exchange, { ...request, body: () => '{"name":"as text"}' })
    expect(JSON.parse(read.body.toString())).toEqual({ body: { name: "as text" } })
  })
})

const withoutVariable = (headers: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => ![...variable, "date"].includes(name)))
