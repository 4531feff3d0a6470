/** What a sub-request may and may not do, and what becomes of the others. */
import { describe, expect, it } from "vitest"
import { type Client, jsonOf, textOf } from "./Client.ts"

interface Echoed {
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

export const subRequests = (client: () => Client): void => {
  describe("a sub-request", () => {
    it("is who the envelope says, whatever its own headers say", async () => {
      const whoami = { method: "GET", url: "/whoami" }
      const posing = { ...whoami, headers: { Authorization: "Bearer mallory", COOKIE: "session=stolen" } }
      const known = await client().batch([whoami, posing], { authorization: "Bearer alice" })
      expect(known.map(({ body }) => body)).toEqual([{ who: "alice" }, { who: "alice" }])
      const unknown = await client().batch([whoami, posing])
      expect(unknown.map(({ status }) => status)).toEqual([401, 401])
    })

    it("comes from where the envelope came from, whatever its own headers say", async () => {
      const own = {
        "X-Forwarded-For": "198.51.100.66",
        "x-forwarded-host": "evil.test",
        "X-Real-IP": "198.51.100.66",
        forwarded: "for=198.51.100.66",
        host: "evil.test",
      }
      const [plain, posing] = await client().batch([
        { method: "GET", url: "/echo" },
        { method: "GET", url: "/echo", headers: own },
      ])
      expect(posing!.body).toEqual(plain!.body)
      const [behind] = await client().batch([{ method: "GET", url: "/echo", headers: own }], {
        "x-forwarded-for": "203.0.113.9",
      })
      expect((behind!.body as Echoed).ip).toBe("203.0.113.9")
      expect((behind!.body as Echoed).headers).toMatchObject({ host: client().host, "x-forwarded-for": "203.0.113.9" })
    })

    it("keeps its method, whatever its headers say", async () => {
      const names = ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override", "x-original-url", "X-Rewrite-URL"]
      const headers = Object.fromEntries(names.map((name) => [name, "DELETE"]))
      const [answer] = await client().batch([{ method: "POST", url: "/echo", headers, body: {} }], headers)
      const echoed = answer!.body as Echoed
      expect([echoed.method, echoed.url]).toEqual(["POST", "/echo"])
      expect(
        Object.keys(echoed.headers).filter((name) => names.map((given) => given.toLowerCase()).includes(name)),
      ).toEqual([])
    })

    it("passes on nothing that belongs to a connection", async () => {
      const headers = {
        Connection: "close, x-custom",
        "keep-alive": "timeout=1",
        "content-length": "3",
        "Transfer-Encoding": "chunked",
        te: "trailers",
        trailer: "x-sum",
        upgrade: "websocket",
        expect: "100-continue",
        "proxy-authorization": "Basic eDp5",
      }
      const sent = { method: "POST", url: "/echo", body: { a: 1 } }
      const [plain, dressed] = await client().batch([sent, { ...sent, headers }])
      expect(dressed!.body).toEqual(plain!.body)
    })

    it("does not see headers of its neighbours", async () => {
      const marked = { method: "GET", url: "/echo", headers: { "x-mark": "mine" } }
      const plain = { method: "GET", url: "/echo" }
      const answers = await client().batch([marked, plain, marked, plain])
      const marks = answers.map(({ body }) => (body as Echoed).headers["x-mark"])
      expect(marks).toEqual(["mine", undefined, "mine", undefined])
    })

    it("cannot inject a header or another target, and the others run", async () => {
      const get = { method: "GET", url: "/echo" }
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
      const answers = await client().batch(hostile.flatMap((request) => [request, get]))
      expect(answers.filter((_, index) => index % 2 === 0).map(({ status, body }) => [status, codeOf(body)])).toEqual(
        hostile.map(() => [400, "INVALID_REQUEST"]),
      )
      expect(answers.filter((_, index) => index % 2 === 1).every(({ status }) => status === 200)).toBe(true)
      expect(JSON.stringify(answers.filter((_, index) => index % 2 === 1))).not.toContain("x-injected")
    })

    it("shows no cookie that it was given, neither in its answer nor in that of the batch", async () => {
      const body = { requests: [{ id: "a", method: "GET", url: "/cookies" }] }
      const alone = await client().get("/cookies")
      const inBatch = await client().post("/batch", body)
      expect(alone.headers["set-cookie"]).toContain("seen=1")
      expect(inBatch.raw().toLowerCase()).not.toContain("set-cookie")
      expect(inBatch.raw()).not.toContain("seen=1")
    })

    it("has an asynchronous context of its own, below that of the envelope", async () => {
      const requests = Array.from({ length: 12 }, () => ({ method: "GET", url: "/context" }))
      const batches = await Promise.all([client().batch(requests), client().batch(requests)])
      const contexts = batches.map((answers) => answers.map(({ body }) => body as Context))
      expect(contexts.flat().every(({ kept }) => kept)).toBe(true)
      expect(new Set(contexts.flat().map(({ id }) => id)).size).toBe(24)
      const parents = contexts.map((own) => [...new Set(own.map(({ parent }) => parent))])
      expect(parents.map((own) => own.length)).toEqual([1, 1])
      expect(parents.flat()).not.toContain(null)
      expect(parents[0]).not.toEqual(parents[1])
    })

    it("has the request id of the envelope", async () => {
      const [answer] = await client().batch([{ method: "GET", url: "/context" }], { "x-request-id": "outer-7" })
      expect(answer!.body).toEqual({ id: "outer-7", parent: "outer-7", kept: true })
    })

    it("counts towards the limits of the route it is for, under the address of the caller", async () => {
      const url = "/limited?key=in-batch"
      // One after another: a limiter that awaits its store may judge requests that arrive at once by their last count.
      const dependsOn = (index: number) => (index === 0 ? [] : [{ id: String(index - 1), accept: [429] }])
      const five = Array.from({ length: 5 }, (_, index) => ({ method: "GET", url, dependsOn: dependsOn(index) }))
      const answers = await client().batch(five)
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429])
      expect((await client().get(url)).status).toBe(429)
    })

    it("that dies is answered 500 by itself, and the others are not touched", async () => {
      const urls = ["/fail/sync", "/text", "/fail/async", "/text", "/fail/destroy", "/text", "/fail/half", "/text"]
      const answers = await client().batch(urls.map((url) => ({ method: "GET", url })))
      expect(answers.map(({ status }) => status)).toEqual([500, 200, 500, 200, 500, 200, 500, 200])
      expect(answers.slice(4).map(({ body }) => codeOf(body))).toEqual(["INTERNAL", undefined, "INTERNAL", undefined])
      expect(textOf(await client().get("/text"))).toBe(answers[1]!.body)
    })
  })

  describe("sub-requests of one batch", () => {
    it("are answered in request order, whichever ends first", async () => {
      const delays = [60, 0, 30, 5, 45, 15, 0, 20]
      const answers = await client().batch(
        delays.map((ms) => ({ method: "GET", url: `/slow?ms=${ms}&mark=order-${ms}` })),
      )
      expect(answers.map(({ id, body }) => [id, body])).toEqual(delays.map((ms, index) => [String(index), { ms }]))
    })

    it("that change the same target run in request order, however it is spelt", async () => {
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
      const answers = await client().batch(requests)
      expect(answers.every(({ status }) => status === 200)).toBe(true)
      const item = jsonOf(await client().get("/items/ordered")) as { readonly notes: ReadonlyArray<string> }
      expect(item.notes).toEqual(requests.map(({ body }) => body.note))
    })

    it("may depend on each other, and what depends on a failure is not run", async () => {
      const answers = await client().batch([
        { id: "late", method: "GET", url: "/text", dependsOn: ["slow"] },
        { id: "slow", method: "GET", url: "/slow?ms=20" },
        { id: "bad", method: "GET", url: "/missing" },
        { id: "after", method: "PUT", url: "/items/never", body: { name: "Never" }, dependsOn: ["bad"] },
        { id: "further", method: "GET", url: "/text", dependsOn: ["after"] },
        { id: "accepts", method: "GET", url: "/text", dependsOn: [{ id: "bad", accept: [404] }] },
      ])
      expect(answers.map(({ id, status }) => [id, status])).toEqual([
        ["late", 200],
        ["slow", 200],
        ["bad", 404],
        ["after", 424],
        ["further", 424],
        ["accepts", 200],
      ])
      expect(codeOf(answers[3]!.body)).toBe("FAILED_DEPENDENCY")
      expect((await client().get("/items/never")).status).toBe(404)
    })

    it("may use parts of earlier answers in a url and in a body", async () => {
      const answers = await client().batch([
        { id: "made", method: "POST", url: "/items", body: { id: "a b/c?", name: "Referred" } },
        { id: "read", method: "GET", url: "/items/@{made.body.id}" },
        {
          id: "told",
          method: "POST",
          url: "/echo?q=@{made.status}",
          body: { at: "@{made.headers.location}", whole: "@{read.body}" },
        },
        { id: "lost", method: "GET", url: "/items/@{made.body.none}" },
      ])
      expect(answers.map(({ status }) => status)).toEqual([201, 200, 200, 424])
      expect(answers[1]!.body).toEqual({ id: "a b/c?", name: "Referred", notes: [] })
      expect(answers[2]!.body).toMatchObject({
        url: "/echo?q=201",
        body: { at: "/items/a%20b%2Fc%3F", whole: { name: "Referred" } },
      })
      expect(codeOf(answers[3]!.body)).toBe("UNRESOLVED_REFERENCE")
    })
  })
}
