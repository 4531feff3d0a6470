import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as JsonBatch from "../../../src/formats/requests/JsonBatchCodec.ts"
import * as SubRequestDispatcher from "../../../src/formats/requests/SubRequestDispatcher.ts"
import type { HeadersInput } from "../../../src/batch/Headers.ts"
import * as HeaderRules from "../../../src/http/HeaderRules.ts"
import * as Limits from "../../../src/batch/Limits.ts"
import { partial } from "../../../src/batch/Strategy.ts"
import type { Reply } from "../../../src/formats/requests/SubRequest.ts"
import { execute } from "../../support/execute.ts"

type Host = (request: SubRequestDispatcher.HostRequest) => Partial<Reply> & { readonly json?: unknown }

interface RunOptions {
  readonly outer?: HeadersInput
  readonly rules?: HeaderRules.HeaderRulesOptions
}

/** Runs a JSON batch through a host; returns the requests that the host received by URL, and the results. */
const run = async (requests: ReadonlyArray<object>, host: Host, { outer = {}, rules }: RunOptions = {}) => {
  const headers = HeaderRules.make(rules)
  const codec = JsonBatch.make({ headers })
  const envelope = { value: { requests }, text: undefined, bytes: undefined }
  const decoded = codec.decode(envelope, { limits: Limits.make(), strategy: { default: partial, choices: [] } })
  const { operations } = Result.getOrThrow(decoded)
  const received = new Map<string, SubRequestDispatcher.HostRequest>()
  const send: SubRequestDispatcher.Send = async (request) => {
    received.set(request.url, request)
    const { json, ...reply } = host(request)
    const text = json === undefined ? (reply.text ?? "") : JSON.stringify(json)
    const type: Reply["headers"] = json === undefined ? {} : { "content-type": "application/json" }
    const body = new TextEncoder().encode(text)
    return { status: 200, body, text, ...reply, headers: { ...type, ...reply.headers } }
  }
  const dispatcher = SubRequestDispatcher.make(
    { send, rules: headers },
    { tenant: undefined, headers: outer, request: undefined },
  )
  await Effect.runPromise(execute(operations, dispatcher))
  return {
    received,
    results: operations.map(({ result }) => result!),
    codes: operations.map(({ result }) => result!.failure?.code),
  }
}

const user = { id: "u 1/2", age: 42, admin: true, none: null, tags: ["a", { b: "c" }], empty: "", dot: ".", dots: ".." }

const first = { id: "a", method: "POST", url: "/users", body: {} }

const reply: Host = ({ url }) =>
  url === "/users" ? { status: 201, json: user, headers: { location: "/users/7", "x-many": ["1", "2"] } } : { json: {} }

/** Returns the URL that the host receives, or the failure code of the request. */
const urlOf = async (url: string) => {
  const { received, codes } = await run([first, { id: "b", method: "GET", url }], reply)
  return [...received.keys()].find((url) => url !== "/users") ?? codes[1]
}

/** Returns the body that the host receives, or the failure code of the request. */
const bodyOf = async (body: unknown) => {
  const { received, codes } = await run([first, { id: "b", method: "PUT", url: "/x", body }], reply)
  const sent = received.get("/x")
  return sent === undefined ? codes[1] : JSON.parse(sent.body as string)
}

describe("a reference in a URL", () => {
  it.each([
    ["/users/@{a.body.id}", "/users/u%201%2F2"],
    ["/users/@{a.body.age}", "/users/42"],
    ["/users/@{a.body.admin}", "/users/true"],
    ["/users/@{a.body.tags.0}?q=@{a.body.tags.1.b}", "/users/a?q=c"],
    ["/s/@{a.status}", "/s/201"],
    ["/h/@{a.headers.location}", "/h/%2Fusers%2F7"],
    ["/x?plain=@@{a.body.id}", "/x?plain=@{a.body.id}"],
  ])("%s becomes %s", async (url, expected) => expect(await urlOf(url)).toBe(expected))

  it.each([
    "name",
    "empty",
    "dot",
    "dots",
    "none",
    "tags",
    "tags.5",
    "tags.length",
    "constructor",
    "__proto__",
    "id.length",
  ])("to %s cannot be resolved", async (path) =>
    expect(await urlOf(`/users/@{a.body.${path}}`)).toBe("UNRESOLVED_REFERENCE"),
  )

  it("is followed by another check of the URL", async () => {
    expect(await urlOf("@{a.headers.location}x")).toBe("INVALID_REQUEST")
    expect(await urlOf("@{a.body.id}")).toBe("INVALID_REQUEST")
    expect(await urlOf("/@{a.body.dots}/@{a.body.dots}/x")).toBe("UNRESOLVED_REFERENCE")
  })

  it("becomes one path segment or one query value, whatever its value", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", minLength: 1 }), async (id) => {
        const host: Host = ({ url }) => (url === "/users" ? { json: { id } } : { json: {} })
        const requests = [first, { id: "b", method: "GET", url: "/v/@{a.body.id}/w?q=@{a.body.id}&r=1" }]
        const { received, codes } = await run(requests, host)
        const url = [...received.keys()].find((url) => url !== "/users")
        if (url === undefined) {
          expect(["UNRESOLVED_REFERENCE", "INVALID_REQUEST"]).toContain(codes[1])
          return
        }
        const parsed = new URL(url, "http://host.example")
        expect(parsed.pathname.split("/")).toHaveLength(4)
        expect(decodeURIComponent(parsed.pathname.split("/")[2]!)).toBe(id)
        expect([...parsed.searchParams]).toEqual([
          ["q", id],
          ["r", "1"],
        ])
      }),
    )
  })
})

describe("a reference in a body", () => {
  it.each<[unknown, unknown]>([
    ["@{a.body.age}", 42],
    ["@{a.body.admin}", true],
    ["@{a.body.none}", null],
    ["@{a.body.tags}", ["a", { b: "c" }]],
    ["@{a.body}", user],
    [
      "@{a}",
      {
        status: 201,
        headers: { location: "/users/7" },
        body: user,
      },
    ],
    ["age @{a.body.age}, tags @{a.body.tags}", `age 42, tags ["a",{"b":"c"}]`],
    ["@@{a.body.age}", "@{a.body.age}"],
    [
      { x: [{ y: "@{a.status}" }], "@{a.status}": "key" },
      { x: [{ y: 201 }], "@{a.status}": "key" },
    ],
    ["@{a.headers.Location}", "/users/7"],
    ["@{unknown.body}", "@{unknown.body}"],
  ])("turns %j into %j", async (body, expected) => expect(await bodyOf(body)).toEqual(expected))

  it.each([
    "@{a.body.name}",
    "x @{a.body.tags.2} y",
    "@{a.headers.etag}",
    "@{a.headers.x-many}",
    "@{a.headers.content-type}",
    "@{a.nothing}",
    "@{a.body.__proto__}",
    "@{a.body.toString}",
  ])("%s cannot be resolved", async (body) => expect(await bodyOf(body)).toBe("UNRESOLVED_REFERENCE"))

  it("keeps a member named __proto__ and does not pass on the parsed body", async () => {
    const body = JSON.parse(`{"__proto__":{"admin":"@{a.status}"}}`)
    const { received } = await run([first, { id: "b", method: "PUT", url: "/x", body }], reply)
    expect(received.get("/x")).toMatchObject({ body: `{"__proto__":{"admin":201}}`, json: undefined })
  })

  it("to a poisoned reply changes only the text of the body", async () => {
    const host: Host = ({ url }) =>
      url === "/users"
        ? { text: `{"__proto__":{"polluted":1}}`, headers: { "content-type": "application/json" } }
        : { json: {} }
    const { received } = await run([first, { id: "b", method: "PUT", url: "/x", body: { copy: "@{a.body}" } }], host)
    expect(received.get("/x")!.body).toBe(`{"copy":{"__proto__":{"polluted":1}}}`)
    expect(({} as { readonly polluted?: unknown }).polluted).toBeUndefined()
  })

  it("reads a reply that is not JSON as text", async () => {
    const host: Host = ({ url }) =>
      url === "/users" ? { text: "plain", headers: { "content-type": "text/plain" } } : {}
    const { received } = await run([first, { id: "b", method: "PUT", url: "/x", body: "@{a.body}" }], host)
    expect(received.get("/x")!.body).toBe(`"plain"`)
  })

  it("reads the problem of a refused request whose status is accepted", async () => {
    const requests = [
      { id: "a", method: "GET", url: "//evil.example" },
      { id: "b", method: "PUT", url: "/x", body: "@{a.body.code}", dependsOn: [{ id: "a", accept: [400] }] },
    ]
    const { received } = await run(requests, reply)
    expect(received.get("/x")!.body).toBe(`"INVALID_REQUEST"`)
  })

  it("to a failed request skips the operation", async () => {
    const { codes, received } = await run([first, { id: "b", method: "PUT", url: "/x", body: "@{a.status}" }], () => ({
      status: 404,
    }))
    expect(codes).toEqual([undefined, "FAILED_DEPENDENCY"])
    expect(received.size).toBe(1)
  })
})

describe("a reference to a large value", () => {
  const large: Host = ({ url }) =>
    url === "/users" ? { json: { text: "x".repeat(200_000), list: ["y".repeat(200_000)] } } : { json: {} }
  const repeat = (reference: string, count: number) => Array.from({ length: count }, () => reference)

  it.each(["@{a.body.text}", "@{a.body.list}", "@{a.body}", "and @{a.body.list.0}"])(
    "%s is refused if its values exceed the limit of one operation",
    async (reference) => {
      const requests = [
        first,
        { id: "b", method: "PUT", url: "/few", body: repeat(reference, 2) },
        { id: "c", method: "PUT", url: "/many", body: repeat(reference, 50_000) },
      ]
      const { codes, received, results } = await run(requests, large)
      expect(codes).toEqual([undefined, undefined, "PAYLOAD_TOO_LARGE"])
      expect(results[2]!.status).toBe(413)
      expect(received.has("/many")).toBe(false)
    },
  )

  it("is refused in a URL as well", async () => {
    const url = `/x?${"q=@{a.body.text}&".repeat(6)}`
    expect((await run([first, { id: "b", method: "GET", url }], large)).codes).toEqual([undefined, "PAYLOAD_TOO_LARGE"])
  })

  it("is parsed once for a thousand requests that refer to it", async () => {
    const json = Array.from({ length: 100_000 }, (_, index) => ({ id: index, name: `user ${index}` }))
    const requests = Array.from({ length: 999 }, (_, index) => ({
      id: String(index),
      method: "GET",
      url: `/u/@{a.body.${index}.id}`,
    }))
    const startedAt = performance.now()
    const { received } = await run([first, ...requests], ({ url }) => (url === "/users" ? { json } : {}))
    expect(received.size).toBe(1_000)
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })

  it("is passed to the host only as text, never as a shared object", async () => {
    const requests = [
      first,
      ...["b", "c"].map((id) => ({ id, method: "PUT", url: `/${id}`, body: { copy: "@{a.body.list}" } })),
    ]
    const { received } = await run(requests, large)
    expect(received.get("/b")!.json).toBeUndefined()
    expect(received.get("/c")!.json).toBeUndefined()
    expect(received.get("/b")!.body).toBe(received.get("/c")!.body)
  })
})

describe("the request to the host", () => {
  const sentFor = async (request: object, options: RunOptions = {}) => {
    const { received } = await run([{ id: "a", method: "POST", url: "/x", ...request }], () => ({ json: {} }), options)
    const hostRequest = received.get("/x")!
    const { keep: _, ...sent } = hostRequest
    return { ...sent, headers: { ...sent.headers } }
  }

  it("has a JSON body as text and parsed", async () => {
    expect(await sentFor({ body: { a: 1 } })).toEqual({
      method: "POST",
      url: "/x",
      headers: { "content-type": "application/json" },
      body: `{"a":1}`,
      json: { a: 1 },
    })
    expect(await sentFor({ body: "text" })).toMatchObject({ body: `"text"`, json: "text" })
  })

  it("has a string body unchanged if its content type is not JSON", async () => {
    expect(await sentFor({ body: "a,b", headers: { "Content-Type": "text/csv" } })).toMatchObject({
      headers: { "content-type": "text/csv" },
      body: "a,b",
      json: undefined,
    })
    expect(await sentFor({ body: "text", headers: { "content-type": "application/vnd.api+json" } })).toMatchObject({
      body: `"text"`,
    })
  })

  it("without a body has no content type", async () => {
    expect(await sentFor({})).toMatchObject({ headers: {}, body: undefined, json: undefined })
  })

  it("prefers its own headers over inherited ones, except credentials", async () => {
    const outer = {
      authorization: "Bearer outer",
      cookie: "s=outer",
      "accept-language": "de",
      "user-agent": "outer",
      "x-other": "no",
    }
    const headers = { "Accept-Language": "en", "X-Own": "1" }
    const rules = { allow: ["x-own"] }
    expect((await sentFor({ headers }, { outer, rules })).headers).toEqual({
      authorization: "Bearer outer",
      cookie: "s=outer",
      "accept-language": "en",
      "user-agent": "outer",
      "x-own": "1",
    })
    const credentials = { Authorization: "Bearer own", Cookie: "s=own" }
    expect((await sentFor({ headers: credentials }, { outer, rules: { ownCredentials: true } })).headers).toMatchObject(
      { authorization: "Bearer own", cookie: "s=own" },
    )
  })

  it("never has a header of another request", async () => {
    const requests = [
      { id: "a", method: "GET", url: "/a", headers: { "if-match": "secret" } },
      { id: "b", method: "GET", url: "/b" },
    ]
    const { received } = await run(requests, ({ headers }) => {
      Object.assign(headers, { "x-added-by-host": "1" })
      return { json: {} }
    })
    expect(Object.keys(received.get("/b")!.headers)).toEqual(["x-added-by-host"])
    expect({ ...received.get("/a")!.headers }["if-match"]).toBe("secret")
  })
})

describe("the result", () => {
  it.each([
    [200, "success"],
    [204, "success"],
    [304, "success"],
    [400, "error"],
    [503, "error"],
  ])("of a reply with the status %i is %s, with the reply as its value", async (status, outcome) => {
    const { results } = await run([first], () => ({ status, json: { a: 1 } }))
    expect(results[0]).toMatchObject({ status, outcome, value: { status, text: `{"a":1}` } })
  })
})
