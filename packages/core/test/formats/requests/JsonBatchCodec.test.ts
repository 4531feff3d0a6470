import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import * as JsonBatch from "../../../src/formats/requests/JsonBatchCodec.ts"
import * as HeaderRules from "../../../src/http/HeaderRules.ts"
import * as Limits from "../../../src/batch/Limits.ts"
import type { StrategyOffer } from "../../../src/batch/Strategy.ts"

const codec = JsonBatch.make({ headers: HeaderRules.make() })

const offer: StrategyOffer = { default: { _tag: "partial" }, choices: [] }

const decode = (requests: unknown, strategy = offer, limits: Limits.LimitsOptions = {}) => {
  const text = JSON.stringify({ requests })
  const envelope = { value: JSON.parse(text), text, bytes: Buffer.byteLength(text) }
  return codec.decode(envelope, { limits: Limits.make(limits), strategy })
}

const operations = (requests: unknown, strategy = offer) => Result.getOrThrow(decode(requests, strategy)).operations

const reasonOf = (requests: unknown) => Result.getOrThrow(Result.flip(decode(requests))).reason

/** Returns the failure of one request; expects that another one in the same batch is not affected. */
const failureOf = (request: Readonly<Record<string, unknown>>) => {
  const [first, second] = operations([
    { id: "a", method: "GET", url: "/", ...request },
    { id: "b", method: "GET", url: "/" },
  ])
  expect(second!.result).toBeUndefined()
  return first!.result?.failure
}

const dependenciesOf = (requests: ReadonlyArray<unknown>, strategy = offer) =>
  operations(requests, strategy).map(({ dependsOn }) =>
    dependsOn.map(({ operation, accept }) => [operation.id, ...accept].join(" ")),
  )

const get = (id: string, members: Readonly<Record<string, unknown>> = {}) => ({
  id,
  method: "GET",
  url: "/",
  ...members,
})
const post = (id: string, body: unknown, members: Readonly<Record<string, unknown>> = {}) => ({
  id,
  method: "POST",
  url: "/",
  body,
  ...members,
})

describe("a sub-request", () => {
  it("is decoded with its method in upper case and its headers in lower case", () => {
    const [operation] = operations([
      {
        id: "req-1",
        method: "post",
        url: "/users?a=1",
        headers: { "If-Match": "1" },
        body: { name: "Alice" },
      },
    ])
    expect(operation).toMatchObject({ index: 0, id: "req-1", action: "POST", orderKey: undefined, result: undefined })
    expect(operation!.input).toMatchObject({
      method: "POST",
      url: "/users?a=1",
      body: { name: "Alice" },
      poisoned: false,
    })
    expect({ ...operation!.input.headers }).toEqual({ "if-match": "1" })
  })

  it.each(["GET", "head", "Post", "PUT", "patch", "DELETE", "options"])("may have the method %s", (method) => {
    expect(failureOf({ method })).toBeUndefined()
  })

  it.each(["TRACE", "CONNECT", "PROPFIND", "", " GET", "GET ", "GET\r\n", "__proto__", 7, null, undefined, ["GET"]])(
    "is refused on its own for the method %j",
    (method) => expect(failureOf({ method })).toMatchObject({ code: "INVALID_REQUEST", status: 400, field: "method" }),
  )

  it.each([
    undefined,
    null,
    7,
    "",
    "users",
    "http://evil.example/",
    "//evil.example",
    "/a\\b",
    "/a b",
    "/../x",
    "/%2e%2e/x",
    ["/"],
  ])("is refused on its own for the URL %j", (url) =>
    expect(failureOf({ url })).toMatchObject({ code: "INVALID_REQUEST", status: 400, field: "url" }),
  )

  it.each(["GET", "HEAD"])("is refused on its own for a body with %s", (method) => {
    for (const body of [{}, "", 0, false, []])
      expect(failureOf({ method, body })).toMatchObject({ status: 400, field: "body" })
    for (const body of [null, undefined]) expect(failureOf({ method, body })).toBeUndefined()
  })

  it("has no body if null was sent, and keeps any other value", () => {
    expect(operations([post("a", null)])[0]!.input.body).toBeUndefined()
    for (const body of [0, false, "", [], {}]) expect(operations([post("a", body)])[0]!.input.body).toEqual(body)
  })

  it.each([7, [], "a: b", { a: 1 }, { "a b": "c" }, { a: "b\r\nc: d" }, { A: "1", a: "2" }])(
    "is refused on its own for the headers %j",
    (headers) => expect(failureOf({ headers })).toMatchObject({ status: 400, field: "headers" }),
  )

  it("is refused on its own if it is larger than the limit by one byte", () => {
    const requestOf = (bytes: number) => {
      const { length } = JSON.stringify(post("a", ""))
      return post("a", "x".repeat(bytes - length))
    }
    const codesFor = (bytes: number) => {
      const decoded = Result.getOrThrow(decode([requestOf(bytes), get("b")], offer, { operationBytes: 1_000 }))
      return decoded.operations.map(({ result }) => result?.failure?.code)
    }
    expect(codesFor(1_000)).toEqual([undefined, undefined])
    expect(codesFor(1_001)).toEqual(["PAYLOAD_TOO_LARGE", undefined])
  })

  it("with member names that could poison a prototype is marked for the host's own parser", () => {
    const [operation] = operations([post("a", JSON.parse(`{"__proto__":{"admin":true}}`))])
    expect(operation!.input.poisoned).toBe(true)
    expect(Object.keys(operation!.input.body as object)).toEqual(["__proto__"])
  })

  it("with an unsafe method has one order key for all spellings of its path", () => {
    const urls = ["/Users/1", "/users//1/", "/users/./1?x", "/%75sers/2/../1"]
    const requests = urls.map((url, index) => ({ id: String(index), method: "PUT", url }))
    expect(new Set(operations(requests).map(({ orderKey }) => orderKey))).toEqual(new Set(["/users/1"]))
    expect(operations([get("a"), get("b", { method: "HEAD" })]).map(({ orderKey }) => orderKey)).toEqual([
      undefined,
      undefined,
    ])
  })
})

describe("the ids of a batch", () => {
  it.each([undefined, null, 7, "", "x".repeat(257), {}, ["a"]])("refuse the batch if one is %j", (id) => {
    expect(reasonOf([get("a"), { ...get("b"), id }])).toMatchObject({
      code: "INVALID_BATCH",
      pointer: "/requests/1/id",
    })
  })

  it("may have up to 256 characters of any kind", () => {
    for (const id of ["x".repeat(256), " ", "\u0000", "__proto__", "@{", "a.b", "\ud800"]) {
      expect(operations([get(id)])[0]!.id).toBe(id)
    }
  })

  it("refuse the batch if two are equal", () => {
    expect(reasonOf([get("a"), get("b"), get("a")])).toMatchObject({ code: "DUPLICATE_ID", pointer: "/requests/2/id" })
    expect(reasonOf([get("__proto__"), get("__proto__")])).toMatchObject({ code: "DUPLICATE_ID" })
  })

  it.each([null, 7, "a", [], [[]]])("refuse the batch if a request is %j", (request) => {
    expect(reasonOf([request])).toMatchObject({ code: "INVALID_BATCH" })
  })
})

describe("dependsOn", () => {
  it("names earlier and later requests, with the statuses that it accepts", () => {
    const requests = [
      get("a", { dependsOn: ["c"] }),
      get("b", { dependsOn: ["a", { id: "c", accept: [404, 409] }] }),
      get("c"),
    ]
    expect(dependenciesOf(requests)).toEqual([["c"], ["a", "c 404 409"], []])
    expect(dependenciesOf([get("a", { dependsOn: null }), get("b", { dependsOn: [] })])).toEqual([[], []])
  })

  it.each([
    ["b", "array"],
    [{ 0: "b", length: 1 }, "array"],
    [["c"], "no request"],
    [["__proto__"], "no request"],
    [["constructor"], "no request"],
    [["a"], "itself"],
    [[{ id: "a" }], "itself"],
    [[7], "must be an id"],
    [[null], "must be an id"],
    [[["b"]], "must be an id"],
    [[{}], "must be an id"],
    [[{ id: "b", accept: 409 }], "must be an id"],
    [[{ id: "b", accept: ["409"] }], "must be an id"],
    [[{ id: "b", accept: [99] }], "must be an id"],
    [[{ id: "b", accept: [600] }], "must be an id"],
    [[{ id: "b", accept: [409.5] }], "must be an id"],
  ])("refuses the batch if it is %j", (dependsOn, message) => {
    const reason = reasonOf([get("a", { dependsOn }), get("b")])
    expect(reason).toMatchObject({ code: "INVALID_DEPENDENCY", status: 400, pointer: "/requests/0/dependsOn" })
    expect(reason.message.toLowerCase()).toContain(message)
  })

  it("that names a request twice accepts only the statuses of both entries", () => {
    const dependsOn = [
      { id: "b", accept: [404, 409] },
      { id: "b", accept: [409, 410] },
    ]
    expect(dependenciesOf([get("a", { dependsOn }), get("b")])).toEqual([["b 409"], []])
    expect(dependenciesOf([get("a", { dependsOn: ["b", "b"] }), get("b")])).toEqual([["b"], []])
    expect(dependenciesOf([get("a", { dependsOn: ["b", { id: "b", accept: [409] }] }), get("b")])).toEqual([["b"], []])
  })

  it("of a refused request is checked as well", () => {
    expect(reasonOf([get("a", { method: "X", dependsOn: ["c"] })])).toMatchObject({ code: "INVALID_DEPENDENCY" })
  })

  it("may name a group, which means all of its members", () => {
    const atomic: StrategyOffer = { default: { _tag: "partial" }, choices: ["atomic"] }
    const requests = [
      get("a", { atomicityGroup: "g" }),
      get("b", { atomicityGroup: "g" }),
      get("c", { dependsOn: ["g", "g", { id: "b", accept: [409] }] }),
    ]
    expect(dependenciesOf(requests, atomic)).toEqual([[], [], ["a", "b"]])
  })
})

describe("references", () => {
  it("are dependencies, in URLs and in strings at any depth", () => {
    const requests = [get("a"), get("b", { url: "/@{a.body.id}" }), post("c", { x: [{ y: "of @{b.status}" }] })]
    expect(dependenciesOf(requests)).toEqual([[], ["a"], ["b"]])
  })

  it("keep the accepted statuses of an explicit dependency", () => {
    const requests = [get("a"), post("b", "@{a.status}", { dependsOn: [{ id: "a", accept: [404] }] })]
    expect(dependenciesOf(requests)).toEqual([[], ["a 404"]])
  })

  it("are plain text in member names, and with unknown ids", () => {
    const requests = [get("a"), post("b", { "@{a.body}": "@{x.body}" })]
    expect(dependenciesOf(requests)).toEqual([[], []])
  })

  it("are dependencies in the values of headers", () => {
    const requests = [get("a"), post("b", 1, { headers: { "If-Match": "@{a.headers.etag}" } })]
    expect(dependenciesOf(requests)).toEqual([[], ["a"]])
  })

  it("postpone the check of the URL until they are resolved", () => {
    const [, operation] = operations([get("a"), get("b", { url: "@{a.headers.location}" })])
    expect(operation!.result).toBeUndefined()
    expect(operation!.input.urlTemplate).toEqual([{ id: "a", path: ["headers", "location"] }])
  })

  it("may be written with JSON escapes", () => {
    const text = `{"requests":[{"id":"a","method":"GET","url":"/"},{"id":"b","method":"GET","url":"/\\u0040\\u007ba.status}"}]}`
    const envelope = { value: JSON.parse(text), text, bytes: text.length }
    const decoded = Result.getOrThrow(codec.decode(envelope, { limits: Limits.make(), strategy: offer }))
    expect(decoded.operations[1]!.dependsOn).toHaveLength(1)
  })
})

describe("an unknown member", () => {
  it.each([
    ["depends_on", `Unknown member "depends_on": did you mean "dependsOn"?`],
    ["header", `Unknown member "header": did you mean "headers"?`],
    ["if", `Unknown member "if": remove it. Known are id, method, url, headers, body, dependsOn, atomicityGroup`],
  ])("%s of a request refuses that request alone", (name, message) => {
    expect(failureOf({ [name]: ["x"] })).toMatchObject({ code: "UNKNOWN_MEMBER", status: 400, field: name, message })
  })

  it("that is null is absent", () => {
    expect(failureOf({ if: null, headers: null, body: null, dependsOn: null, atomicityGroup: null })).toBeUndefined()
  })

  const envelope = (members: object) => ({ value: { requests: [get("a")], ...members }, text: undefined, bytes: 1 })

  it.each([
    ["Atomic", "/Atomic", `Unknown member "Atomic": did you mean "atomic"?`],
    ["a/b~c", "/a~1b~0c", `Unknown member "a/b~c": remove it. Known are requests, atomic, stop_after`],
  ])("%s of the envelope refuses the batch", (name, pointer, message) => {
    const decoded = codec.decode(envelope({ [name]: true }), { limits: Limits.make(), strategy: offer })
    const { reason } = Result.getOrThrow(Result.flip(decoded))
    expect(reason).toMatchObject({ code: "UNKNOWN_MEMBER", status: 400, pointer, message })
  })

  it("is ignored if the endpoint is configured so", () => {
    const lenient = JsonBatch.make({ headers: HeaderRules.make(), unknownMembers: "ignore" })
    const value = { requests: [{ ...get("a"), if: "x" }], comment: "x" }
    const decoded = lenient.decode(
      { value, text: undefined, bytes: undefined },
      { limits: Limits.make(), strategy: offer },
    )
    expect(Result.getOrThrow(decoded).operations[0]!.result).toBeUndefined()
  })
})

describe("the order key", () => {
  it("is the normal form of the path for PUT, PATCH and DELETE, and absent for POST and reads", () => {
    const methods = ["PUT", "PATCH", "DELETE", "POST", "GET", "OPTIONS"]
    const all = operations(methods.map((method) => ({ id: method, method, url: "/Users/1/?x=1" })))
    expect(all.map(({ orderKey }) => orderKey)).toEqual(["/users/1", "/users/1", "/users/1", ...Array(3)])
  })

  it("is what the endpoint is configured to return", () => {
    const ordered = JsonBatch.make({
      headers: HeaderRules.make(),
      orderBy: ({ id, method, url }) => (method === "POST" ? `${id} ${url}` : undefined),
    })
    const value = { requests: [post("a", 1), { ...post("b", 1), method: "PUT" }] }
    const decoded = ordered.decode(
      { value, text: undefined, bytes: undefined },
      { limits: Limits.make(), strategy: offer },
    )
    expect(Result.getOrThrow(decoded).operations.map(({ orderKey }) => orderKey)).toEqual(["a /", undefined])
  })
})

describe("the URL and the headers", () => {
  it("together refuse their request if they are too large", () => {
    expect(failureOf({ url: `/${"x".repeat(16_383)}` })).toBeUndefined()
    expect(failureOf({ url: `/${"x".repeat(16_384)}` })).toMatchObject({ code: "HEADERS_TOO_LARGE", status: 431 })
    const headers = { "if-none-match": "x".repeat(16_000) }
    expect(failureOf({ headers })).toBeUndefined()
    expect(failureOf({ headers, url: `/${"x".repeat(400)}` })).toMatchObject({
      code: "HEADERS_TOO_LARGE",
      message: "The URL and the headers have 16418 bytes, at most 16384 are allowed",
    })
  })

  it.each(["authorization", "x-custom", "host", "x-forwarded-for"])(
    "with the header %s, which a request may not set, refuse it and name the header",
    (name) => {
      const refusal = failureOf({ headers: { [name]: "1" } })
      expect(refusal).toMatchObject({ code: "INVALID_REQUEST", status: 400, field: "headers" })
      expect(refusal!.message).toContain(`"${name}"`)
    },
  )
})

describe("atomicityGroup", () => {
  it("is refused if the endpoint has no transactions", () => {
    expect(reasonOf([get("a"), get("b", { atomicityGroup: "g" })])).toMatchObject({
      code: "STRATEGY_NOT_OFFERED",
      pointer: "/requests/1/atomicityGroup",
    })
  })
})

describe("a hostile batch", () => {
  const decodeWithin = (milliseconds: number, requests: unknown, strategy = offer) => {
    const text = JSON.stringify({ requests })
    const envelope = { value: JSON.parse(text), text, bytes: text.length }
    const startedAt = performance.now()
    const decoded = codec.decode(envelope, { limits: Limits.make(), strategy })
    expect(performance.now() - startedAt).toBeLessThan(milliseconds)
    return Result.getOrThrow(decoded).operations
  }
  const count = 1_000

  it("full of @{ with hundreds of id lengths is decoded within 2 s, and its valid requests run", () => {
    for (const body of ["@{.".repeat(3_000), "@{}}}}}".repeat(1_300), "@{".repeat(4_500)]) {
      const requests = Array.from({ length: count }, (_, index) =>
        post(index < 256 ? "x".repeat(index + 1) : `y${index}`, body),
      )
      const decoded = decodeWithin(2_000, [...requests.slice(1), post("valid", "@{y999.body}")])
      expect(decoded.at(-2)!.result?.failure).toMatchObject({ code: "INVALID_REQUEST" })
      expect(decoded.at(-1)!.result).toBeUndefined()
    }
  })

  const refusalWithin = (milliseconds: number, requests: unknown, strategy = offer) => {
    const startedAt = performance.now()
    const decoded = decode(requests, strategy)
    expect(performance.now() - startedAt).toBeLessThan(milliseconds)
    return Result.getOrThrow(Result.flip(decoded)).reason
  }

  it("that repeats a dependency 150,000 times is refused within 2 s", () => {
    const repeated = Array.from({ length: 150_000 }, () => "0")
    const references = Array.from({ length: count - 2 }, (_, index) => `@{${index + 1}.body}`)
    const requests = Array.from({ length: count }, (_, index) =>
      index === count - 1 ? post(String(index), references, { dependsOn: repeated }) : post(String(index), 0),
    )
    expect(refusalWithin(2_000, requests)).toMatchObject({ code: "INVALID_DEPENDENCY", limit: 10_000 })
  })

  it("that repeats the name of a large group is refused within 2 s", () => {
    const repeated = Array.from({ length: 200 }, () => "g")
    const requests = Array.from({ length: count }, (_, index) =>
      post(String(index), 0, index < 900 ? { atomicityGroup: "g" } : { dependsOn: repeated }),
    )
    const reason = refusalWithin(2_000, requests, { default: { _tag: "partial" }, choices: ["atomic"] })
    expect(reason).toMatchObject({ code: "INVALID_DEPENDENCY", limit: 10_000 })
  })

  it("may have ten dependencies per request on average, and not one more", () => {
    const all = Array.from({ length: 21 }, (_, index) => post(String(index), 0))
    const before = (index: number) => all.slice(0, index).map(({ id }) => id)
    const requests = all.map((request, index) => ({ ...request, dependsOn: before(index) }))
    expect(operations(requests).at(-1)!.dependsOn).toHaveLength(20)
    expect(decodeWithin(2_000, [...requests, { ...get("more"), dependsOn: before(10) }])).toHaveLength(22)
    expect(reasonOf([...requests, { ...get("more"), dependsOn: before(11) }])).toMatchObject({
      code: "INVALID_DEPENDENCY",
      pointer: "/requests/21/dependsOn",
      limit: 220,
    })
  })
})
