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

const errorOf = (headers: unknown, options?: HeaderRules.HeaderRulesOptions) =>
  Result.getOrThrow(Result.flip(HeaderRules.check(headers, HeaderRules.make(options))))

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
    const headers = {
      Accept: "text/html",
      "Accept-Language": "de",
      "Content-Type": "text/csv",
      "Content-Language": "de",
      "If-Match": '"e"',
      "If-None-Match": "*",
      Prefer: "return=minimal",
      Range: "bytes=0-1",
      "Idempotency-Key": "k",
      Traceparent: "t",
    }
    const lowerCase = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
    expect(own(headers)).toEqual(lowerCase)
  })

  it("leaves out headers whose value is null", () => {
    expect(own({ accept: null, "x-other": null, "if-match": "1" })).toEqual({ "if-match": "1" })
  })

  it("refuses a header that is not on the list and says which option allows it", () => {
    expect(errorOf({ "X-Own": "1" })).toBe(
      `The header "X-Own" is not one that a sub-request may set: remove it, or allow it with the option "headers.allow"`,
    )
    expect(own({ "X-Own": "1" }, { allow: ["x-OWN"] })).toEqual({ "x-own": "1" })
  })

  it.each([
    "x-forwarded",
    "forwarded-for",
    "fly-client-ip",
    "x-azure-clientip",
    "x-envoy-external-address",
    "x-ms-client-principal",
    "x-goog-authenticated-user-email",
    "remote-user",
    "x-ssl-client-verify",
    "user-agent",
    "x-request-id",
    "tracestate",
    "accepted",
    "iffy",
    "contents",
  ])("refuses %s, which the host may trust", (name) => expect(errorOf({ [name]: "1" })).toContain("headers.allow"))

  it.each(["authorization", "Authorization", "AUTHORIZATION", "cookie", "Cookie"])(
    "refuses the credential %s",
    (name) => expect(errorOf({ [name]: "v" })).toContain("headers.ownCredentials"),
  )

  it("refuses configured credentials", () => {
    expect(errorOf({ "X-API-Key": "v" }, { credentials: ["x-api-key"] })).toContain("headers.ownCredentials")
    expect(errorOf({ "x-api-key": "v" }, { credentials: ["X-Api-Key"] })).toContain("headers.ownCredentials")
  })

  it("keeps own credentials if that is configured", () => {
    expect(own({ Authorization: "Bearer x", cookie: "a=1" }, { ownCredentials: true })).toEqual({
      authorization: "Bearer x",
      cookie: "a=1",
    })
    expect(own({ Authorization: "Bearer x" }, { allow: ["authorization"] })).toEqual({ authorization: "Bearer x" })
  })

  it.each([
    "Forwarded",
    "X-Forwarded-For",
    "x-FORWARDED-host",
    "X-Forwarded-Proto",
    "X-Forwarded-Whatever",
    "X-Real-IP",
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
  ])("refuses %s whatever is configured", (name) => {
    expect(errorOf({ [name]: "1" }, { ownCredentials: true, inherit: [name] })).toContain("remove it")
    expect(() => HeaderRules.make({ allow: [name] })).toThrow(`can never set the header "${name.toLowerCase()}"`)
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
    const allow = ["constructor", "valueOf", "toString"]
    expect(own({ constructor: "a", valueOf: "b", toString: "c" }, { allow })).toEqual({
      constructor: "a",
      valueof: "b",
      tostring: "c",
    })
  })

  it.each(["a\r\nx-admin: 1", "a\nb", "a\u0000b", "\u007f", "\u0100", "\ud83d\ude00", "a\u000bb"])(
    "rejects the value %j",
    (value) => expect(errorOf({ "x-own": value })).toContain("not allowed in header values"),
  )

  it.each([1, true, ["a"], {}])("rejects the value %j, which is not a string", (value) => {
    expect(errorOf({ "x-own": value })).toContain("must be a string")
  })

  it("rejects a name that appears in two letter cases", () => {
    expect(errorOf({ "If-Match": "1", "if-match": "2" })).toContain("twice")
  })

  it("trims values and keeps Latin-1 characters and tabs", () => {
    expect(own({ "if-match": "  a\tü\u00ff " })).toEqual({ "if-match": "a\tü\u00ff" })
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
