import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { HeadersInput } from "../../src/batch/Headers.ts"
import * as HeaderRules from "../../src/http/HeaderRules.ts"

const inherited = (outer: HeadersInput, options?: HeaderRules.HeaderRulesOptions) => ({
  ...HeaderRules.make(options).inherit(outer),
})

const own = (headers: unknown, options?: HeaderRules.HeaderRulesOptions) => ({
  ...Result.getOrThrow(HeaderRules.check(headers, HeaderRules.make(options))),
})

const errorOf = (headers: unknown) => Result.getOrThrow(Result.flip(HeaderRules.check(headers, HeaderRules.make())))

describe("inherit", () => {
  it.each([
    "authorization",
    "cookie",
    "accept-language",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-request-id",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-anything",
    "x-real-ip",
  ])("passes on %s of the outer request", (name) => expect(inherited({ [name]: "v" })).toEqual({ [name]: "v" }))

  it.each([
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "expect",
    "te",
    "trailer",
    "upgrade",
    "http2-settings",
    "proxy-authorization",
    "proxy-connection",
    "accept-encoding",
    "if-none-match",
    "idempotency-key",
    "prefer",
    "x-http-method-override",
    "x-anything",
  ])("does not pass on %s", (name) => expect(inherited({ [name]: "v" })).toEqual({}))

  it("passes on configured headers in any letter case", () => {
    expect(
      inherited({ "x-tenant": "a", "x-api-key": "k" }, { inherit: ["X-Tenant"], credentials: ["X-Api-Key"] }),
    ).toEqual({
      "x-tenant": "a",
      "x-api-key": "k",
    })
  })

  it("does not pass on connection headers even if they are configured", () => {
    expect(
      inherited({ host: "evil", "proxy-x": "v" }, { inherit: ["host", "proxy-x"], credentials: ["Host"] }),
    ).toEqual({})
  })

  it("joins several values of a header with commas, cookies with semicolons", () => {
    const outer = { cookie: ["a=1", "b=2"], "x-forwarded-for": ["1.1.1.1", "2.2.2.2"], tracestate: undefined }
    expect(inherited(outer)).toEqual({ cookie: "a=1; b=2", "x-forwarded-for": "1.1.1.1, 2.2.2.2" })
  })

  it("returns an object without a prototype", () => {
    expect(Object.getPrototypeOf(HeaderRules.make().inherit({ cookie: "a" }))).toBeNull()
  })
})

describe("check", () => {
  it("returns a sub-request's own headers by lower-case name", () => {
    expect(own({ "X-Own": "1", Accept: "text/html", "If-Match": '"e"' })).toEqual({
      "x-own": "1",
      accept: "text/html",
      "if-match": '"e"',
    })
  })

  it.each(["authorization", "Authorization", "AUTHORIZATION", "cookie", "Cookie"])("drops the credential %s", (name) =>
    expect(own({ [name]: "v", "x-own": "1" })).toEqual({ "x-own": "1" }),
  )

  it("drops configured credentials", () => {
    expect(own({ "X-API-Key": "v" }, { credentials: ["x-api-key"] })).toEqual({})
    expect(own({ "x-api-key": "v" }, { credentials: ["X-Api-Key"] })).toEqual({})
  })

  it("keeps own credentials if that is configured", () => {
    expect(own({ Authorization: "Bearer x", cookie: "a=1" }, { ownCredentials: true })).toEqual({
      authorization: "Bearer x",
      cookie: "a=1",
    })
  })

  it.each([
    "Forwarded",
    "X-Forwarded-For",
    "x-FORWARDED-host",
    "X-Forwarded-Proto",
    "X-Forwarded-Whatever",
    "X-Real-IP",
    "x-client-ip",
    "True-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "X-Cluster-Client-IP",
    "X-HTTP-Method-Override",
    "x-http-method",
    "X-Method-Override",
    "X-Original-URL",
    "X-Rewrite-URL",
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "Expect",
    "TE",
    "Trailer",
    "Upgrade",
    "HTTP2-Settings",
    "Proxy-Authorization",
    "Proxy-Anything",
  ])("drops %s even if own credentials are allowed", (name) => {
    expect(own({ [name]: "1" }, { ownCredentials: true, inherit: [name] })).toEqual({})
  })

  it.each([null, 7, "a: b", [], [["a", "b"]], true])("rejects %j instead of an object", (headers) => {
    expect(errorOf(headers)).toContain("object of strings")
  })

  it.each(["", " ", "a b", "a:", "a\r\nb", "ü", "a\u0000", "(a)", "a,b", "a/b", '"a"', "a{", "\u212aelvin"])(
    "rejects the name %j",
    (name) => expect(errorOf({ [name]: "v" })).toContain("not a valid header name"),
  )

  it("rejects the name __proto__", () => {
    expect(errorOf(JSON.parse(`{"__proto__":"v"}`))).toContain("not a valid header name")
    expect(errorOf(JSON.parse(`{"__PROTO__":"v"}`))).toContain("not a valid header name")
  })

  it("keeps headers named like members of Object.prototype", () => {
    expect(own({ constructor: "a", valueOf: "b", toString: "c" })).toEqual({
      constructor: "a",
      valueof: "b",
      tostring: "c",
    })
  })

  it.each(["a\r\nx-admin: 1", "a\nb", "a\u0000b", "\u007f", "\u0100", "\ud83d\ude00", "a\u000bb"])(
    "rejects the value %j",
    (value) => expect(errorOf({ "x-own": value })).toContain("not allowed in header values"),
  )

  it.each([1, null, true, ["a"], {}])("rejects the value %j, which is not a string", (value) => {
    expect(errorOf({ "x-own": value })).toContain("must be a string")
  })

  it("rejects a name that appears in two letter cases", () => {
    expect(errorOf({ "X-Own": "1", "x-own": "2" })).toContain("twice")
    expect(errorOf({ Host: "1", host: "2" })).toContain("twice")
  })

  it("trims values and keeps Latin-1 characters and tabs", () => {
    expect(own({ "x-own": "  a\tü\u00ff " })).toEqual({ "x-own": "a\tü\u00ff" })
  })

  it("returns only headers that the platform accepts as one header each", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })), (headers) => {
        const checked = HeaderRules.check(headers, HeaderRules.make({ ownCredentials: true }))
        if (Result.isFailure(checked)) return
        for (const [name, value] of Object.entries(checked.success)) {
          expect(() => new Headers([[name, value]])).not.toThrow()
        }
      }),
      { numRuns: 500 },
    )
  })
})
