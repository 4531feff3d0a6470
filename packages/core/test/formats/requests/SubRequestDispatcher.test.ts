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

interface Given {
  readonly outer?: HeadersInput
  readonly rules?: HeaderRules.HeaderRulesOptions
}

/** Runs a JSON batch through a host; tells what the host saw, and what became of each request. */
const run = async (requests: ReadonlyArray<object>, host: Host, { outer = {}, rules }: Given = {}) => {
  const headers = HeaderRules.make(rules)
  const codec = JsonBatch.make({ headers })
  const envelope = { value: { requests }, text: undefined, bytes: undefined }
  const decoded = codec.decode(envelope, { limits: Limits.make(), strategy: { default: partial, choices: [] } })
  const { operations } = Result.getOrThrow(decoded)
  const seen = new Map<string, SubRequestDispatcher.HostRequest>()
  const send: SubRequestDispatcher.Send = async (request) => {
    seen.set(request.url, request)
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
    seen,
    results: operations.map(({ result }) => result!),
    codes: operations.map(({ result }) => result!.failure?.code),
  }
}

const user = { id: "u 1/2", age: 42, admin: true, none: null, tags: ["a", { b: "c" }], empty: "", dot: ".", dots: ".." }

const first = { id: "a", method: "POST", url: "/users", body: {} }

const reply: Host = ({ url }) =>
  url === "/users" ? { status: 201, json: user, headers: { location: "/users/7", "x-many": ["1", "2"] } } : { json: {} }

/** The url that a reference becomes; or the code of what became of the request instead. */
const urlOf = async (url: string) => {
  const { seen, codes } = await run([first, { id: "b", method: "GET", url }], reply)
  return [...seen.keys()].find((seen) => seen !== "/users") ?? codes[1]
}

/** The body that a body with references becomes. */
const bodyOf = async (body: unknown) => {
  const { seen, codes } = await run([first, { id: "b", method: "PUT", url: "/x", body }], reply)
  const sent = seen.get("/x")
  return sent === undefined ? codes[1] : JSON.parse(sent.body!)
}

describe("a reference in a url", () => {
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

  it("that makes a url of something else is checked again", async () => {
    expect(await urlOf("@{a.headers.location}")).toBe("INVALID_REQUEST")
    expect(await urlOf("/@{a.body.dots}/@{a.body.dots}/x")).toBe("UNRESOLVED_REFERENCE")
  })

  it("never becomes more than one segment or one value, whatever it is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", minLength: 1 }), async (id) => {
        const host: Host = ({ url }) => (url === "/users" ? { json: { id } } : { json: {} })
        const requests = [first, { id: "b", method: "GET", url: "/v/@{a.body.id}/w?q=@{a.body.id}&r=1" }]
        const { seen, codes } = await run(requests, host)
        const url = [...seen.keys()].find((url) => url !== "/users")
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
        headers: { location: "/users/7", "x-many": ["1", "2"], "content-type": "application/json" },
        body: user,
      },
    ],
    ["age @{a.body.age}, tags @{a.body.tags}", `age 42, tags ["a",{"b":"c"}]`],
    ["@@{a.body.age}", "@{a.body.age}"],
    [
      { x: [{ y: "@{a.status}" }], "@{a.status}": "key" },
      { x: [{ y: 201 }], "@{a.status}": "key" },
    ],
    ["@{a.headers.x-many.1}", "2"],
    ["@{unknown.body}", "@{unknown.body}"],
  ])("makes of %j %j", async (body, expected) => expect(await bodyOf(body)).toEqual(expected))

  it.each([
    "@{a.body.name}",
    "x @{a.body.tags.2} y",
    "@{a.headers.etag}",
    "@{a.nothing}",
    "@{a.body.__proto__}",
    "@{a.body.toString}",
  ])("%s cannot be resolved", async (body) => expect(await bodyOf(body)).toBe("UNRESOLVED_REFERENCE"))

  it("keeps a member named __proto__ a member, and tells the host's parser nothing of it", async () => {
    const body = JSON.parse(`{"__proto__":{"admin":"@{a.status}"}}`)
    const { seen } = await run([first, { id: "b", method: "PUT", url: "/x", body }], reply)
    expect(seen.get("/x")).toMatchObject({ body: `{"__proto__":{"admin":201}}`, json: undefined })
  })

  it("to a poisoned reply changes nothing but the text of the body", async () => {
    const host: Host = ({ url }) =>
      url === "/users"
        ? { text: `{"__proto__":{"polluted":1}}`, headers: { "content-type": "application/json" } }
        : { json: {} }
    const { seen } = await run([first, { id: "b", method: "PUT", url: "/x", body: { copy: "@{a.body}" } }], host)
    expect(seen.get("/x")!.body).toBe(`{"copy":{"__proto__":{"polluted":1}}}`)
    expect(({} as { readonly polluted?: unknown }).polluted).toBeUndefined()
  })

  it("reads a reply that is no JSON as text", async () => {
    const host: Host = ({ url }) =>
      url === "/users" ? { text: "plain", headers: { "content-type": "text/plain" } } : {}
    const { seen } = await run([first, { id: "b", method: "PUT", url: "/x", body: "@{a.body}" }], host)
    expect(seen.get("/x")!.body).toBe(`"plain"`)
  })

  it("reads of a request that was refused, where that is accepted, the problem", async () => {
    const requests = [
      { id: "a", method: "GET", url: "//evil.example" },
      { id: "b", method: "PUT", url: "/x", body: "@{a.body.code}", dependsOn: [{ id: "a", accept: [400] }] },
    ]
    const { seen } = await run(requests, reply)
    expect(seen.get("/x")!.body).toBe(`"INVALID_REQUEST"`)
  })

  it("is not run where what it refers to failed", async () => {
    const { codes, seen } = await run([first, { id: "b", method: "PUT", url: "/x", body: "@{a.status}" }], () => ({
      status: 404,
    }))
    expect(codes).toEqual([undefined, "FAILED_DEPENDENCY"])
    expect(seen.size).toBe(1)
  })
})

describe("a reference to much", () => {
  const large: Host = ({ url }) =>
    url === "/users" ? { json: { text: "x".repeat(200_000), list: ["y".repeat(200_000)] } } : { json: {} }
  const many = (reference: string, count: number) => Array.from({ length: count }, () => reference)

  it.each(["@{a.body.text}", "@{a.body.list}", "@{a.body}", "and @{a.body.list.0}"])(
    "%s is refused once it brings more bytes than an operation may have",
    async (reference) => {
      const requests = [
        first,
        { id: "b", method: "PUT", url: "/few", body: many(reference, 2) },
        { id: "c", method: "PUT", url: "/many", body: many(reference, 50_000) },
      ]
      const { codes, seen, results } = await run(requests, large)
      expect(codes).toEqual([undefined, undefined, "PAYLOAD_TOO_LARGE"])
      expect(results[2]!.status).toBe(413)
      expect(seen.has("/many")).toBe(false)
    },
  )

  it("is refused in a url too", async () => {
    const url = `/x?${"q=@{a.body.text}&".repeat(6)}`
    expect((await run([first, { id: "b", method: "GET", url }], large)).codes).toEqual([undefined, "PAYLOAD_TOO_LARGE"])
  })

  it("costs no more where a thousand requests look into it", async () => {
    const json = Array.from({ length: 100_000 }, (_, index) => ({ id: index, name: `user ${index}` }))
    const requests = Array.from({ length: 999 }, (_, at) => ({
      id: String(at),
      method: "GET",
      url: `/u/@{a.body.${at}.id}`,
    }))
    const startedAt = performance.now()
    const { seen } = await run([first, ...requests], ({ url }) => (url === "/users" ? { json } : {}))
    expect(seen.size).toBe(1_000)
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })

  it("is never shared between the hosts of two requests, nor handed over before the host's own parser saw it", async () => {
    const requests = [
      first,
      ...["b", "c"].map((id) => ({ id, method: "PUT", url: `/${id}`, body: { copy: "@{a.body.list}" } })),
    ]
    const { seen } = await run(requests, large)
    expect([seen.get("/b")!.json, seen.get("/c")!.json]).toEqual([undefined, undefined])
    expect(seen.get("/b")!.body).toBe(seen.get("/c")!.body)
    const { seen: scalars } = await run(
      [first, { id: "b", method: "PUT", url: "/b", body: { age: "@{a.body.age}" } }],
      reply,
    )
    expect(scalars.get("/b")!.json).toEqual({ age: 42 })
  })
})

describe("what the host is sent", () => {
  const sent = async (request: object, given: Given = {}) => {
    const { seen } = await run([{ id: "a", method: "POST", url: "/x", ...request }], () => ({ json: {} }), given)
    const host = seen.get("/x")!
    return { ...host, headers: { ...host.headers } }
  }

  it("is JSON, parsed and as text", async () => {
    expect(await sent({ body: { a: 1 } })).toEqual({
      method: "POST",
      url: "/x",
      headers: { "content-type": "application/json" },
      body: `{"a":1}`,
      json: { a: 1 },
    })
    expect(await sent({ body: "text" })).toMatchObject({ body: `"text"`, json: "text" })
  })

  it("is a string as it is where it names another content type", async () => {
    expect(await sent({ body: "a,b", headers: { "Content-Type": "text/csv" } })).toMatchObject({
      headers: { "content-type": "text/csv" },
      body: "a,b",
      json: undefined,
    })
    expect(await sent({ body: "text", headers: { "content-type": "application/vnd.api+json" } })).toMatchObject({
      body: `"text"`,
    })
  })

  it("has neither body nor content type where there is no body", async () => {
    expect(await sent({})).toMatchObject({ headers: {}, body: undefined, json: undefined })
  })

  it("keeps its own headers over inherited ones, but not those of the caller", async () => {
    const outer = {
      authorization: "Bearer outer",
      cookie: "s=outer",
      "accept-language": "de",
      "user-agent": "outer",
      "x-other": "no",
    }
    const headers = { Authorization: "Bearer own", "Accept-Language": "en", "X-Own": "1", Cookie: "s=own" }
    expect((await sent({ headers }, { outer })).headers).toEqual({
      authorization: "Bearer outer",
      cookie: "s=outer",
      "accept-language": "en",
      "user-agent": "outer",
      "x-own": "1",
    })
    expect((await sent({ headers }, { outer, rules: { ownCredentials: true } })).headers).toMatchObject({
      authorization: "Bearer own",
      cookie: "s=own",
    })
  })

  it("never carries a header of another request", async () => {
    const requests = [
      { id: "a", method: "GET", url: "/a", headers: { "x-own": "secret" } },
      { id: "b", method: "GET", url: "/b" },
    ]
    const { seen } = await run(requests, ({ headers }) => {
      Object.assign(headers, { "x-added-by-host": "1" })
      return { json: {} }
    })
    expect(Object.keys(seen.get("/b")!.headers)).toEqual(["x-added-by-host"])
    expect({ ...seen.get("/a")!.headers }["x-own"]).toBe("secret")
  })
})

describe("the result", () => {
  it.each([
    [200, "success"],
    [204, "success"],
    [304, "success"],
    [400, "error"],
    [503, "error"],
  ])("of the reply %i is %s, with the reply as it is", async (status, outcome) => {
    const { results } = await run([first], () => ({ status, json: { a: 1 } }))
    expect(results[0]).toMatchObject({ status, outcome, value: { status, text: `{"a":1}` } })
  })
})
