/** JSON batches over real HTTP: what a route receives, and what a client is shown. */
import { setTimeout as delay } from "node:timers/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type PlainHost, type PlainRequest, startPlainHost } from "../../support/plainHost.ts"

const bytes = Uint8Array.from({ length: 1_000 }, (_, index) => (index * 7) % 256)

let host: PlainHost
let received: Array<PlainRequest>
let running = { now: 0, most: 0 }

beforeAll(async () => {
  host = await startPlainHost({
    "/order": (request, response) => {
      received.push(request)
      response.setHeader("content-type", "application/json").end(request.body)
    },
    "/account": (_, response) =>
      response
        .writeHead(201, { "content-type": "application/json", location: "/account/7?x=1", etag: '"7-1"' })
        .end('{ "id": 9007199254740993, "price": 1.50, "note": "a\\r\\nb" }'),
    "/login": (_, response) =>
      response.writeHead(200, { "set-cookie": "session=secret; HttpOnly", "x-internal": "1" }).end(),
    "/image": (_, response) => response.setHeader("content-type", "image/png").end(bytes),
    "/elsewhere": (_, response) => response.writeHead(201, { location: "http://elsewhere.test/x" }).end(),
    "/slow": async (_, response) => {
      running.most = Math.max(running.most, ++running.now)
      await delay(10)
      running.now--
      response.writeHead(201).end()
    },
  })
})
afterAll(() => host.close())

const sent = async (requests: ReadonlyArray<object>, headers?: Readonly<Record<string, string>>) => {
  received = []
  const responses = await host.batch(requests, headers)
  return { responses, received }
}

const put = { method: "PUT", url: "/order" }
const account = { id: "a", method: "POST", url: "/account" }

describe("JSON", () => {
  it.each(["9007199254740993", "1.0", "-0", "1E400", "0.1000", "123456789012345678901234567890", "1.5e3"])(
    "with the number %s reaches the route as it was written",
    async (number) => {
      received = []
      const body = `{"order":${number}, "list":[ ${number} ]}`
      const response = await host.post(`{"requests":[{"id":"1","method":"PUT","url":"/order","body":${body}}]}`)
      expect(await response.text()).toBe(`{"responses":[{"id":"1","status":200,"body":${body}}]}`)
      expect(received[0]!.body.toString()).toBe(body)
    },
  )

  it("with a reference to a number gets the text of the number", async () => {
    const { received, responses } = await sent([
      account,
      { id: "b", method: "PUT", url: "/order/@{a.body.id}", body: { id: "@{a.body.id}", price: "@{a.body.price}" } },
    ])
    expect(responses[1]!.status).toBe(200)
    expect(received[0]!.path).toBe("/order/9007199254740993")
    expect(received[0]!.body.toString()).toBe(`{"id":9007199254740993,"price":1.50}`)
  })
})

describe("a body that is neither JSON nor text", () => {
  it("goes in as it came out", async () => {
    const [image] = await host.batch([{ id: "1", method: "GET", url: "/image" }])
    const { received, responses } = await sent([
      { id: "1", ...put, headers: image!.headers, body: image!.body },
      { id: "2", ...put, headers: image!.headers, body: Buffer.from(bytes).toString("base64url") },
      { id: "3", ...put, headers: { "content-type": "application/json", "content-encoding": "br" }, body: "AAEC" },
    ])
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(received.map(({ body }) => new Uint8Array(body))).toEqual([bytes, bytes, Uint8Array.of(0, 1, 2)])
    expect(received[0]!.headers).toMatchObject({ "content-type": "image/png", "content-length": "1000" })
  })

  it.each(["not base64!", "A", "AA=A", "AAA==", { a: 1 }, 7, "é"])("and is %j refuses its request", async (body) => {
    const { received, responses } = await sent([{ id: "1", ...put, headers: { "content-type": "image/png" }, body }])
    expect(responses[0]).toMatchObject({ status: 400, body: { code: "INVALID_REQUEST", field: "body" } })
    expect(received).toEqual([])
  })

  it("may be a reference to the body of a response", async () => {
    const { received } = await sent([
      { id: "1", method: "GET", url: "/image" },
      { id: "2", ...put, headers: { "content-type": "image/png" }, body: "@{1.body}" },
    ])
    expect(new Uint8Array(received[0]!.body)).toEqual(bytes)
  })
})

describe("a reference", () => {
  it.each(["@{login.headers.set-cookie}", "@{login.headers.x-internal}", "see @{login.headers.Set-Cookie}"])(
    "%s to a header that the response does not show is not resolved",
    async (body) => {
      const { received, responses } = await sent([
        { id: "login", method: "POST", url: "/login" },
        { id: "echo", ...put, body },
      ])
      expect(responses[1]).toMatchObject({ status: 424, body: { code: "UNRESOLVED_REFERENCE" } })
      expect(received).toEqual([])
      expect(JSON.stringify(responses)).not.toContain("secret")
    },
  )

  it("in the value of a header is replaced", async () => {
    const headers = { "If-Match": "@{a.headers.etag}", "if-range": "W/@{a.body.id}" }
    const { received } = await sent([account, { id: "b", ...put, headers, body: 1 }])
    expect(received[0]!.headers).toMatchObject({ "if-match": '"7-1"', "if-range": "W/9007199254740993" })
  })

  it("cannot bring a line break into a header", async () => {
    const headers = { "if-match": "@{a.body.note}" }
    const { received, responses } = await sent([account, { id: "b", ...put, headers, body: 1 }])
    expect(responses[1]).toMatchObject({ status: 400, body: { code: "INVALID_REQUEST", field: "headers" } })
    expect(received).toEqual([])
  })

  it("to a location is the path of the URL if it is all of it", async () => {
    const responses = await host.batch([
      account,
      { id: "b", method: "POST", url: "@{a.headers.location}", dependsOn: ["a"] },
      { id: "c", method: "POST", url: "/elsewhere" },
      { id: "d", method: "GET", url: "@{c.headers.location}" },
    ])
    expect(responses[1]).toMatchObject({ status: 201, headers: { location: "/account/7?x=1" } })
    expect(responses[3]).toMatchObject({ status: 424, body: { code: "UNRESOLVED_REFERENCE" } })
  })

  it("may bring as many bytes into a batch as its body may have, and no more", async () => {
    const large = await startPlainHost(
      {
        "/large": (_, response) =>
          response.setHeader("content-type", "application/json").end(JSON.stringify("x".repeat(100_000))),
        "/order": (_, response) => response.end(),
      },
      { limits: { bodyBytes: 1_000_000 } },
    )
    const requests = Array.from({ length: 20 }, (_, index) => ({ id: String(index), ...put, body: "@{large.body}" }))
    const responses = await large.batch([{ id: "large", method: "GET", url: "/large" }, ...requests])
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(1 + 9)
    expect(responses.filter(({ status }) => status === 413)).toHaveLength(11)
    await large.close()
  })
})

describe("the URL and the headers of a sub-request", () => {
  it("refuse it if they are larger than a server reads, those of the batch included", async () => {
    const { responses } = await sent(
      [
        { id: "own", ...put, headers: { "if-none-match": ", ".repeat(9_000) } },
        { id: "both", ...put, headers: { "if-none-match": `"${"x".repeat(9_000)}"` } },
        { id: "fits", ...put },
        { id: "filled", ...put, url: "/order?x=@{fits.status}", headers: { "if-match": "x".repeat(9_000) } },
      ],
      { authorization: `Bearer ${"y".repeat(8_000)}` },
    )
    expect(responses.map(({ status }) => status)).toEqual([431, 431, 200, 431])
    expect(responses[1]!.body).toMatchObject({ code: "HEADERS_TOO_LARGE" })
  })
})

describe("a hundred creations on one collection", () => {
  it("run side by side", async () => {
    running = { now: 0, most: 0 }
    await host.batch(Array.from({ length: 100 }, (_, id) => ({ id: String(id), method: "POST", url: "/slow" })))
    expect(running.most).toBe(10)
  })

  it("run one after another if they name what exists", async () => {
    running = { now: 0, most: 0 }
    const url = (index: number) => (index % 2 === 0 ? "/slow/1" : "/SLOW/%31?x")
    await host.batch(
      Array.from({ length: 6 }, (_, index) => ({ id: String(index), method: "DELETE", url: url(index) })),
    )
    expect(running.most).toBe(1)
  })
})
