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
        TRACEPARENT: " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
        "If-Match": '"1"',
        Accept: "a/b",
      }
      const { headers } = await echoed(api, own, { "accept-language": "de", traceparent: "other" })
      expect(headers).toMatchObject({
        "accept-language": "fr",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "if-match": '"1"',
        accept: "a/b",
      })
    }))

  it("never pose as somebody else, in whatever letter case: the operation is refused, and others run", () =>
    both(async (api) => {
      const forbidden = [
        "Authorization COOKIE X-API-Key Forwarded X-Forwarded-For x-forwarded-host X-Forwarded-Anything X-REAL-IP",
        "X-Client-IP True-Client-IP CF-Connecting-IP X-HTTP-Method-Override X-HTTP-Method X-Method-Override",
        "X-Original-URL X-Rewrite-URL Host Content-Length Transfer-Encoding Connection Keep-Alive Expect TE Trailer",
        "Upgrade Proxy-Authorization Proxy-Connection x-forwarded forwarded-for fly-client-ip x-azure-clientip",
        "x-envoy-external-address x-ms-client-principal x-goog-authenticated-user-email remote-user",
        "x-ssl-client-verify user-agent x-request-id tracestate X-Custom",
      ].flatMap((names) => names.split(" "))
      const requests = forbidden.map((name, index) => post(`r${index}`, "Nobody", { headers: { [name]: "1" } }))
      const responses = await api.requests([...requests, post("good", "Somebody")])
      for (const [index, name] of forbidden.entries()) {
        expect(responses[index]).toEqual({ ...invalid("headers"), id: `r${index}` })
        expect((responses[index]!.body as { readonly detail: string }).detail).toContain(`The header "${name}" `)
      }
      expect(await api.names()).toEqual(["Somebody"])
    }))

  it("that are invalid refuse their operation alone", () =>
    both(async (api) => {
      const wrong = [
        7,
        [],
        "x: y",
        { "if-a": 1 },
        { "if-a": ["a", "b"] },
        { "": "x" },
        { "x a": "y" },
        { "x:a": "y" },
        { "x-a\r\nx-b": "y" },
        { "x-ä": "y" },
        { "if-a": "y\r\nX-Injected: 1" },
        { "if-a": "y\nz" },
        { "if-a": "y\u0000" },
        { "if-a": "€" },
        { "if-a": "1", "IF-A": "2" },
      ]
      const responses = await api.requests([
        ...wrong.map((headers, index) => post(`h${index}`, "Nobody", { headers })),
        JSON.parse('{"id":"proto","method":"GET","url":"/api/v1/echo","headers":{"__proto__":"x"}}'),
        post("good", "Somebody", { headers: { "if-a": null, "if-b": "caf\u00e9" } }),
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
        headers: { [`if-own-${index}`]: "1", "if-shared": `${index}` },
      }))
      const responses = await api.requests(requests)
      for (const [index, { body }] of responses.entries()) {
        const { headers, url } = body as { readonly headers: Readonly<Record<string, string>>; readonly url: string }
        expect(url).toBe(`/api/v1/echo?r=${index}`)
        expect(Object.keys(headers).filter((name) => name.startsWith("if-own"))).toEqual([`if-own-${index}`])
        expect(headers["if-shared"]).toBe(`${index}`)
      }
    }))
})
