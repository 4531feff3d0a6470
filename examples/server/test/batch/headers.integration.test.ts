import { describe, expect, it } from "vitest"
import type { Api } from "./Api.ts"
import { onBoth } from "./onBoth.ts"
import { invalid, one, post } from "./subRequests.ts"

const both = onBoth()

describe("headers of sub-requests", () => {
  const echoed = async (api: Api, own: object, outer: Readonly<Record<string, string>> = {}) => {
    const { body } = await one(api, { method: "GET", url: "/api/v1/echo", headers: own }, outer)
    return body as {
      readonly headers: Readonly<Record<string, string>>
      readonly address: string
      readonly url: string
    }
  }

  it("are inherited from the outer request when they are on the list", () =>
    both(async (api) => {
      const inherited = {
        authorization: "Bearer outer",
        cookie: "a=1; b=2",
        "x-api-key": "outer",
        "accept-language": "de",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        tracestate: "a=b",
        "user-agent": "test/1",
        "x-request-id": "r1",
        forwarded: "for=1.2.3.4",
        "x-forwarded-for": "1.2.3.4",
        "x-forwarded-proto": "https",
        "x-real-ip": "1.2.3.4",
      }
      const kept = {
        "x-custom": "1",
        "if-match": "x",
        accept: "text/html",
        range: "bytes=0-1",
        te: "trailers",
        prefer: "x",
      }
      const { headers, address } = await echoed(api, {}, { ...inherited, ...kept })
      expect(headers).toEqual({ ...inherited, host: new URL(api.origin).host })
      expect(address).toBe("127.0.0.1")
    }))

  it("are the sub-request's own when both have one", () =>
    both(async (api) => {
      const own = {
        "Accept-Language": "fr",
        "X-CUSTOM": " mine ",
        "x-request-id": "r2",
        "If-Match": '"1"',
        Accept: "a/b",
      }
      const { headers } = await echoed(api, own, { "accept-language": "de", "x-request-id": "r1" })
      expect(headers).toMatchObject({
        "accept-language": "fr",
        "x-custom": "mine",
        "x-request-id": "r2",
        "if-match": '"1"',
        accept: "a/b",
      })
    }))

  it("cannot impersonate another caller in any letter case", () =>
    both(async (api) => {
      const own = {
        Authorization: "Bearer mine",
        COOKIE: "session=mine",
        "X-API-Key": "mine",
        Forwarded: "for=6.6.6.6",
        "X-Forwarded-For": "6.6.6.6",
        "x-forwarded-host": "evil.example",
        "X-FORWARDED-PROTO": "https",
        "X-Forwarded-Anything": "x",
        "X-REAL-IP": "6.6.6.6",
        "x-Real-Ip": "6.6.6.6",
        "X-Client-IP": "6.6.6.6",
        "True-Client-IP": "6.6.6.6",
        "CF-Connecting-IP": "6.6.6.6",
        "X-HTTP-Method-Override": "DELETE",
        "X-HTTP-Method": "DELETE",
        "X-Method-Override": "DELETE",
        "X-Original-URL": "/admin",
        "X-Rewrite-URL": "/admin",
        Host: "evil.example",
        "Content-Length": "5",
        "Transfer-Encoding": "chunked",
        Connection: "x-custom",
        "Keep-Alive": "timeout=1",
        Expect: "100-continue",
        TE: "trailers",
        Trailer: "x",
        Upgrade: "h2c",
        "Proxy-Authorization": "Basic x",
        "Proxy-Connection": "close",
      }
      const { "x-Real-Ip": _, ...distinct } = own
      const outer = { authorization: "Bearer outer", "x-forwarded-for": "1.2.3.4" }
      const { headers, address } = await echoed(api, distinct, outer)
      expect(headers).toEqual({ ...outer, host: new URL(api.origin).host })
      expect(address).toBe("127.0.0.1")
      expect(await one(api, { method: "GET", url: "/api/v1/echo", headers: own })).toEqual(invalid("headers"))
      const blocked = { method: "GET", url: "/api/v1/users", headers: { "X-Api-Key": "blocked" } }
      expect(await one(api, blocked)).toMatchObject({ status: 200 })
    }))

  it("that are invalid refuse their operation alone", () =>
    both(async (api) => {
      const wrong = [
        7,
        [],
        "x: y",
        { "x-a": 1 },
        { "x-a": null },
        { "x-a": ["a", "b"] },
        { "": "x" },
        { "x a": "y" },
        { "x:a": "y" },
        { "x-a\r\nx-b": "y" },
        { "x-ä": "y" },
        { "x-a": "y\r\nX-Injected: 1" },
        { "x-a": "y\nz" },
        { "x-a": "y\u0000" },
        { "x-a": "€" },
        { "x-a": "1", "X-A": "2" },
      ]
      const responses = await api.requests([
        ...wrong.map((headers, index) => post(`h${index}`, "Nobody", { headers })),
        JSON.parse('{"id":"proto","method":"GET","url":"/api/v1/echo","headers":{"__proto__":"x"}}'),
        post("good", "Somebody", { headers: { "x-a": "caf\u00e9" } }),
      ])
      for (const response of responses.slice(0, -1)) {
        expect(response).toEqual({ ...invalid("headers"), id: response.id })
      }
      expect(await api.names()).toEqual(["Somebody"])
    }))

  it("never leak from one operation to another", () =>
    both(async (api) => {
      const requests = Array.from({ length: 50 }, (_, index) => ({
        id: `r${index}`,
        method: "GET",
        url: `/api/v1/echo?r=${index}`,
        headers: { [`x-own-${index}`]: "1", "x-shared": `${index}` },
      }))
      const responses = await api.requests(requests)
      for (const [index, { body }] of responses.entries()) {
        const { headers, url } = body as { readonly headers: Readonly<Record<string, string>>; readonly url: string }
        expect(url).toBe(`/api/v1/echo?r=${index}`)
        expect(Object.keys(headers).filter((name) => name.startsWith("x-own"))).toEqual([`x-own-${index}`])
        expect(headers["x-shared"]).toBe(`${index}`)
      }
    }))
})
