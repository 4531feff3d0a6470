import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as RequestTarget from "../../src/http/RequestTarget.ts"

describe("check", () => {
  it.each([
    "/",
    "/users",
    "/users/",
    "/users?limit=10&after=a/b",
    "/users?next=http://evil.example//x",
    "/users?q=a:b@c",
    "/users/a:b",
    "/a//b",
    "/a/./b",
    "/a/../b",
    "/a/b/../../c",
    "/a%20b",
    "/%C3%BC",
    "/a%2Fb",
    "/$batch",
    "/a;b=c",
    "/?",
    "/~user/*,(x)!'",
    "/users?q=%0d%0a%00",
    "/a/..b/c..",
  ])("accepts %s", (url) => expect(Result.getOrThrow(RequestTarget.check(url))).toBe(url))

  it.each([
    ["", "empty"],
    ["users", "absolute"],
    ["./users", "absolute"],
    ["?a=b", "absolute"],
    ["*", "absolute"],
    ["http://evil.example/users", "scheme"],
    ["HTTPS://evil.example", "scheme"],
    ["file:///etc/passwd", "scheme"],
    ["javascript:alert(1)", "scheme"],
    ["evil.example:80/x", "scheme"],
    ["//evil.example/users", "host"],
    ["///evil.example", "host"],
    ["\\\\evil.example", "backslash"],
    ["/\\evil.example", "backslash"],
    ["/users\\..\\x", "backslash"],
    ["/users?a=\\", "backslash"],
    ["/users HTTP/1.1", "spaces"],
    ["/users\r\nX-Admin: 1", "control"],
    ["/users\n", "control"],
    ["/users\t", "control"],
    ["/users\u0000", "control"],
    ["/users\u007f", "control"],
    [" /users", "spaces"],
    ["/users#fragment", "fragment"],
    ["/users?a#b", "fragment"],
    ["/ü", "ASCII"],
    ["/\ud800", "ASCII"],
    ["/\u2028", "ASCII"],
    ["/%", "hexadecimal"],
    ["/%zz", "hexadecimal"],
    ["/%2", "hexadecimal"],
    ["/users?q=100%", "hexadecimal"],
    ["/a%00b", "encoded control"],
    ["/a%0d%0ab", "encoded control"],
    ["/a%7fb", "encoded control"],
    ["/a%5cb", "backslash"],
    ["/a%5Cb", "backslash"],
    ["/..", "root"],
    ["/../etc/passwd", "root"],
    ["/a/../../b", "root"],
    ["/./../b", "root"],
    ["/%2e%2e/b", "root"],
    ["/%2E./b", "root"],
    ["/a/%2e%2e/%2e%2e/b", "root"],
    ["/..%2fb", "root"],
    ["/a%2f..%2f..%2f..%2fetc", "root"],
  ])("rejects %j", (url, reason) => expect(Result.getOrThrow(Result.flip(RequestTarget.check(url)))).toContain(reason))

  it.each([undefined, null, 7, true, [], {}, ["/users"]])("rejects %j, which is not a string", (url) => {
    expect(Result.isFailure(RequestTarget.check(url))).toBe(true)
  })

  it("accepts no URL that a URL parser would resolve to another origin", () => {
    const pieces = fc.constantFrom(
      "/",
      "\\",
      "//",
      ":",
      "http",
      "@",
      "evil.example",
      "..",
      "%2f",
      "%5c",
      "\t",
      "?",
      "#",
      ".",
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), (pieces) => {
        const url = pieces.join("")
        if (Result.isFailure(RequestTarget.check(url))) return
        const parsed = new URL(url, "http://host.example")
        expect(parsed.origin).toBe("http://host.example")
        expect(parsed.hash).toBe("")
      }),
      { numRuns: 2_000 },
    )
  })
})

describe("normalise", () => {
  it.each([
    ["/users", "/users"],
    ["/users/", "/users"],
    ["/users?limit=1", "/users"],
    ["//users", "/users"],
    ["/users//1", "/users/1"],
    ["/./users/./1", "/users/1"],
    ["/a/../users/1", "/users/1"],
    ["/%75sers/%31", "/users/1"],
    ["/users/%2e%2e/users/1", "/users/1"],
    ["/Users/U_1", "/users/u_1"],
    ["/", "/"],
    ["/a%2Fb", "/a%2fb"],
    ["/a%2fb", "/a%2fb"],
    ["/%7euser", "/~user"],
    ["/a%20b", "/a%20b"],
    ["/%2525", "/%2525"],
  ])("turns %s into %s", (url, expected) => expect(RequestTarget.normalise(url)).toBe(expected))

  it("is idempotent", () => {
    const piece = fc.constantFrom("/", ".", "..", "a", "B", "%41", "%2e", "%2F", "%25", "?x", "~", "%7E")
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
        const once = RequestTarget.normalise(`/${pieces.join("")}`)
        fc.pre(!once.includes("?"))
        expect(RequestTarget.normalise(once)).toBe(once)
      }),
    )
  })
})

describe("originForm", () => {
  it.each([
    ["/users?a=1", "/users?a=1"],
    ["http://example.com/users?a=1", "/users?a=1"],
    ["HTTPS://example.com:8443/Users", "/Users"],
    ["http://example.com", "/"],
    ["http://example.com?a=1", "/?a=1"],
    ["/http://example.com", "/http://example.com"],
  ])("turns %s into %s", (target, expected) => expect(RequestTarget.originForm(target)).toBe(expected))
})
