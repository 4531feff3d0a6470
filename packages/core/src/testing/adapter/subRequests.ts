/** Tests of what a sub-request may do, and that it does not affect others. */
import { describe, expect, it } from "vitest"
import { type Client, jsonOf, textOf } from "./Client.ts"

interface Echo {
  readonly method: string
  readonly url: string
  readonly ip: string
  readonly headers: Readonly<Record<string, string>>
}

interface Context {
  readonly id: string
  readonly parent: string | null
  readonly kept: boolean
}

const codeOf = (body: unknown): unknown => (body as { readonly code?: unknown } | null)?.code

const overridingHeaders = [
  "X-HTTP-Method-Override",
  "x-http-method",
  "X-Method-Override",
  "x-original-url",
  "X-Rewrite-URL",
]

/** Headers that a sub-request may not set: credentials, what a proxy sets, and what belongs to a connection. */
const forbiddenHeaders: ReadonlyArray<readonly [name: string, value: string]> = [
  ["Authorization", "Bearer mallory"],
  ["COOKIE", "session=stolen"],
  ["X-Forwarded-For", "198.51.100.66"],
  ["x-forwarded-host", "evil.test"],
  ["X-Real-IP", "198.51.100.66"],
  ["forwarded", "for=198.51.100.66"],
  ["fly-client-ip", "198.51.100.66"],
  ["x-ms-client-principal", "root"],
  ["remote-user", "root"],
  ["host", "evil.test"],
  ["Connection", "close, x-custom"],
  ["keep-alive", "timeout=1"],
  ["content-length", "3"],
  ["Transfer-Encoding", "chunked"],
  ["te", "trailers"],
  ["trailer", "x-sum"],
  ["upgrade", "websocket"],
  ["expect", "100-continue"],
  ["proxy-authorization", "Basic eDp5"],
  ...overridingHeaders.map((name) => [name, "DELETE"] as const),
]

/** Declares the tests. */
export const subRequests = (client: () => Client): void => {
  describe("a sub-request", () => {
    const get = { method: "GET", url: "/echo" }

    it("has the credentials of the envelope", async () => {
      const whoami = { method: "GET", url: "/whoami" }
      const [authenticated] = await client().batch([whoami], { authorization: "Bearer alice" })
      expect(authenticated!.body).toEqual({ who: "alice" })
      const [anonymous] = await client().batch([whoami])
      expect(anonymous!.status).toBe(401)
    })

    it("has the address and the host of the envelope", async () => {
      const [proxied] = await client().batch([get], { "x-forwarded-for": "203.0.113.9" })
      expect((proxied!.body as Echo).ip).toBe("203.0.113.9")
      expect((proxied!.body as Echo).headers).toMatchObject({ host: client().host, "x-forwarded-for": "203.0.113.9" })
    })

    it("keeps its method, regardless of the headers of the envelope", async () => {
      const headers = Object.fromEntries(overridingHeaders.map((name) => [name, "DELETE"]))
      const [response] = await client().batch([{ method: "POST", url: "/echo", body: {} }], headers)
      const echo = response!.body as Echo
      expect(echo).toMatchObject({ method: "POST", url: "/echo" })
      const names = new Set(overridingHeaders.map((name) => name.toLowerCase()))
      expect(Object.keys(echo.headers).filter((name) => names.has(name))).toEqual([])
    })

    it.each(forbiddenHeaders)("is refused for the header %s, and others run", async (name, value) => {
      const outer = { authorization: "Bearer alice", "x-forwarded-for": "203.0.113.9" }
      const [refused, other] = await client().batch([{ ...get, headers: { [name]: value } }, get], outer)
      expect(refused).toMatchObject({ status: 400, body: { code: "INVALID_REQUEST", field: "headers" } })
      expect((refused!.body as { readonly detail: string }).detail).toContain(`"${name}"`)
      expect(other!.body).toMatchObject({ ip: "203.0.113.9", headers: { authorization: "Bearer alice" } })
    })

    it("does not have the headers of other sub-requests", async () => {
      const marked = { method: "GET", url: "/echo", headers: { "x-mark": "own" } }
      const plain = { method: "GET", url: "/echo" }
      const responses = await client().batch([marked, plain, marked, plain])
      const marks = responses.map(({ body }) => (body as Echo).headers["x-mark"])
      expect(marks).toEqual(["own", undefined, "own", undefined])
    })

    it("cannot inject a header or another target, and others run", async () => {
      const hostile = [
        { ...get, headers: { "x-a": "a\r\nx-injected: b" } },
        { ...get, headers: { "x-a": "a\nb" } },
        { ...get, headers: { "x-a": "a\u0000b" } },
        { ...get, headers: { "x-a\r\nx-injected": "b" } },
        { ...get, headers: { "x a": "b" } },
        { ...get, headers: { "x-a": "🎉" } },
        { ...get, headers: { "x-a": "1", "X-A": "2" } },
        { ...get, url: "/echo HTTP/1.1\r\nx-injected: b\r\n\r\n" },
        { ...get, url: "/echo\nGET /whoami" },
        { ...get, url: "http://elsewhere.test/echo" },
        { ...get, url: "//elsewhere.test/echo" },
        { ...get, url: "/\\elsewhere.test" },
        { ...get, url: "echo" },
        { ...get, url: "/../echo" },
        { ...get, url: "/%2e%2e/echo" },
        { ...get, url: "/echo#part" },
        { ...get, url: "/é" },
        { ...get, url: "/%zz" },
        { ...get, method: "TRACE" },
        { ...get, method: "CONNECT" },
        { ...get, method: "GET /whoami HTTP/1.1\r\nx: " },
        { ...get, body: { a: 1 } },
      ]
      const responses = await client().batch(hostile.flatMap((request) => [request, get]))
      const refused = responses.filter((_, index) => index % 2 === 0)
      const others = responses.filter((_, index) => index % 2 === 1)
      expect(refused.map(({ status, body }) => ({ status, code: codeOf(body) }))).toEqual(
        hostile.map(() => ({ status: 400, code: "INVALID_REQUEST" })),
      )
      expect(others.every(({ status }) => status === 200)).toBe(true)
      expect(JSON.stringify(others)).not.toContain("x-injected")
    })

    it("exposes no cookie that it sets, neither in its own response nor in that of the batch", async () => {
      const body = { requests: [{ id: "a", method: "GET", url: "/cookies" }] }
      const alone = await client().get("/cookies")
      const inBatch = await client().post("/batch", body)
      expect(alone.headers["set-cookie"]).toContain("seen=1")
      expect(inBatch.raw().toLowerCase()).not.toContain("set-cookie")
      expect(inBatch.raw()).not.toContain("seen=1")
    })

    it("has an asynchronous context of its own, whose parent is that of the envelope", async () => {
      const requests = Array.from({ length: 12 }, () => ({ method: "GET", url: "/context" }))
      const batches = await Promise.all([client().batch(requests), client().batch(requests)])
      const contexts = batches.map((responses) => responses.map(({ body }) => body as Context))
      expect(contexts.flat().every(({ kept }) => kept)).toBe(true)
      expect(new Set(contexts.flat().map(({ id }) => id)).size).toBe(24)
      const parents = contexts.map((batch) => [...new Set(batch.map(({ parent }) => parent))])
      expect(parents.map(({ length }) => length)).toEqual([1, 1])
      expect(parents.flat()).not.toContain(null)
      expect(parents[0]).not.toEqual(parents[1])
    })

    it("has the request id of the envelope", async () => {
      const [response] = await client().batch([{ method: "GET", url: "/context" }], { "x-request-id": "outer-7" })
      expect(response!.body).toEqual({ id: "outer-7", parent: "outer-7", kept: true })
    })

    it("counts towards the rate limit of its route, for the address of the caller", async () => {
      const url = "/limited?key=in-batch"
      // One after another: a limiter that awaits its store may use the same count for requests that arrive at once.
      const dependsOn = (index: number) => (index === 0 ? [] : [{ id: String(index - 1), accept: [429] }])
      const five = Array.from({ length: 5 }, (_, index) => ({ method: "GET", url, dependsOn: dependsOn(index) }))
      const responses = await client().batch(five)
      expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429])
      expect((await client().get(url)).status).toBe(429)
    })

    it("that fails unexpectedly gets 500, and others are not affected", async () => {
      const urls = ["/fail/sync", "/text", "/fail/async", "/text", "/fail/destroy", "/text", "/fail/half", "/text"]
      const responses = await client().batch(urls.map((url) => ({ method: "GET", url })))
      expect(responses.map(({ status }) => status)).toEqual([500, 200, 500, 200, 500, 200, 500, 200])
      expect(responses.slice(4).map(({ body }) => codeOf(body))).toEqual(["INTERNAL", undefined, "INTERNAL", undefined])
      expect(textOf(await client().get("/text"))).toBe(responses[1]!.body)
    })
  })

  describe("sub-requests of one batch", () => {
    it("are listed in request order, whichever ends first", async () => {
      const delays = [60, 0, 30, 5, 45, 15, 0, 20]
      const responses = await client().batch(
        delays.map((ms) => ({ method: "GET", url: `/slow?ms=${ms}&mark=order-${ms}` })),
      )
      expect(responses.map(({ id, body }) => ({ id, body }))).toEqual(
        delays.map((ms, index) => ({ id: String(index), body: { ms } })),
      )
    })

    it("that change the same path run in request order, for any spelling of the path", async () => {
      await client().send({
        method: "PUT",
        url: "/items/ordered",
        headers: { "content-type": "application/json" },
        body: '{"name":"x"}',
      })
      const spellings = ["/items/ordered", "/items/%6Frdered", "/items/ordered?x=1"]
      const requests = Array.from({ length: 12 }, (_, index) => ({
        method: "PATCH",
        url: spellings[index % spellings.length]!,
        body: { note: String(index), ms: (12 - index) * 2 },
      }))
      const responses = await client().batch(requests)
      expect(responses.every(({ status }) => status === 200)).toBe(true)
      const item = jsonOf(await client().get("/items/ordered")) as { readonly notes: ReadonlyArray<string> }
      expect(item.notes).toEqual(requests.map(({ body }) => body.note))
    })

    it("may depend on each other, and are skipped if a dependency fails", async () => {
      const responses = await client().batch([
        { id: "late", method: "GET", url: "/text", dependsOn: ["slow"] },
        { id: "slow", method: "GET", url: "/slow?ms=20" },
        { id: "bad", method: "GET", url: "/missing" },
        { id: "after", method: "PUT", url: "/items/never", body: { name: "Never" }, dependsOn: ["bad"] },
        { id: "further", method: "GET", url: "/text", dependsOn: ["after"] },
        { id: "accepts", method: "GET", url: "/text", dependsOn: [{ id: "bad", accept: [404] }] },
      ])
      expect(Object.fromEntries(responses.map(({ id, status }) => [id, status]))).toEqual({
        late: 200,
        slow: 200,
        bad: 404,
        after: 424,
        further: 424,
        accepts: 200,
      })
      expect(codeOf(responses[3]!.body)).toBe("FAILED_DEPENDENCY")
      expect((await client().get("/items/never")).status).toBe(404)
    })

    it("may use parts of earlier responses in a URL and in a body", async () => {
      const responses = await client().batch([
        { id: "made", method: "POST", url: "/items", body: { id: "a b/c?", name: "Referred" } },
        { id: "read", method: "GET", url: "/items/@{made.body.id}" },
        {
          id: "echo",
          method: "POST",
          url: "/echo?q=@{made.status}",
          body: { at: "@{made.headers.location}", whole: "@{read.body}" },
        },
        { id: "located", method: "GET", url: "@{made.headers.location}" },
        {
          id: "known",
          method: "GET",
          url: "/items/@{made.body.id}",
          headers: { "if-none-match": "@{located.headers.etag}" },
        },
        { id: "unresolved", method: "GET", url: "/items/@{made.body.none}" },
      ])
      expect(responses.map(({ status }) => status)).toEqual([201, 200, 200, 200, 304, 424])
      expect(responses[1]!.body).toEqual({ id: "a b/c?", name: "Referred", notes: [] })
      expect(responses[2]!.body).toMatchObject({
        url: "/echo?q=201",
        body: { at: "/items/a%20b%2Fc%3F", whole: { name: "Referred" } },
      })
      expect(responses[3]!.body).toEqual(responses[1]!.body)
      expect(codeOf(responses[5]!.body)).toBe("UNRESOLVED_REFERENCE")
    })
  })
}
