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

const refusal = (requests: unknown) => Result.getOrThrow(Result.flip(decode(requests))).reason

/** What one request alone is refused with. */
const failureOf = (request: Readonly<Record<string, unknown>>) => {
  const [first, second] = operations([
    { id: "a", method: "GET", url: "/", ...request },
    { id: "b", method: "GET", url: "/" },
  ])
  expect(second!.result).toBeUndefined()
  return first!.result?.failure
}

const dependencies = (requests: ReadonlyArray<unknown>, strategy = offer) =>
  operations(requests, strategy).map(({ dependsOn }) =>
    dependsOn.map(({ operation, accept }) => [operation.id, ...accept]),
  )

const get = (id: string, more: Readonly<Record<string, unknown>> = {}) => ({ id, method: "GET", url: "/", ...more })
const post = (id: string, body: unknown, more: Readonly<Record<string, unknown>> = {}) => ({
  id,
  method: "POST",
  url: "/",
  body,
  ...more,
})

describe("a sub-request", () => {
  it("is decoded as it was sent", () => {
    const [operation] = operations([
      {
        id: "req-1",
        method: "post",
        url: "/users?a=1",
        headers: { "X-Own": "1", Cookie: "x" },
        body: { name: "Alice" },
      },
    ])
    expect(operation).toMatchObject({ index: 0, id: "req-1", action: "POST", target: "/users", result: undefined })
    expect(operation!.input).toMatchObject({
      method: "POST",
      url: "/users?a=1",
      body: { name: "Alice" },
      poisoned: false,
    })
    expect({ ...operation!.input.headers }).toEqual({ "x-own": "1" })
  })

  it.each(["GET", "head", "Post", "PUT", "patch", "DELETE", "options"])("may be a %s", (method) => {
    expect(failureOf({ method })).toBeUndefined()
  })

  it.each(["TRACE", "CONNECT", "PROPFIND", "", " GET", "GET ", "GET\r\n", "__proto__", 7, null, undefined, ["GET"]])(
    "is refused alone for the method %j",
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
  ])("is refused alone for the url %j", (url) =>
    expect(failureOf({ url })).toMatchObject({ code: "INVALID_REQUEST", status: 400, field: "url" }),
  )

  it.each(["GET", "HEAD"])("is refused alone for a body with %s", (method) => {
    for (const body of [{}, "", 0, false, []])
      expect(failureOf({ method, body })).toMatchObject({ status: 400, field: "body" })
    for (const body of [null, undefined]) expect(failureOf({ method, body })).toBeUndefined()
  })

  it("has no body where null is sent, and keeps every other value", () => {
    expect(operations([post("a", null)])[0]!.input.body).toBeUndefined()
    for (const body of [0, false, "", [], {}]) expect(operations([post("a", body)])[0]!.input.body).toEqual(body)
  })

  it.each([7, [], "a: b", { a: 1 }, { "a b": "c" }, { a: "b\r\nc: d" }, { A: "1", a: "2" }])(
    "is refused alone for the headers %j",
    (headers) => expect(failureOf({ headers })).toMatchObject({ status: 400, field: "headers" }),
  )

  it("is refused alone when it is too large, to the byte", () => {
    const large = (bytes: number) => {
      const { length } = JSON.stringify(post("a", ""))
      return post("a", "x".repeat(bytes - length))
    }
    const refused = (bytes: number) => {
      const decoded = Result.getOrThrow(decode([large(bytes), get("b")], offer, { operationBytes: 1_000 }))
      return decoded.operations.map(({ result }) => result?.failure?.code)
    }
    expect(refused(1_000)).toEqual([undefined, undefined])
    expect(refused(1_001)).toEqual(["PAYLOAD_TOO_LARGE", undefined])
  })

  it("with names that could reach a prototype is left to the host's own parser", () => {
    const [operation] = operations([post("a", JSON.parse(`{"__proto__":{"admin":true}}`))])
    expect(operation!.input.poisoned).toBe(true)
    expect(Object.keys(operation!.input.body as object)).toEqual(["__proto__"])
  })

  it("that is unsafe shares its target with every spelling of its path", () => {
    const urls = ["/Users/1", "/users//1/", "/users/./1?x", "/%75sers/2/../1"]
    const requests = urls.map((url, at) => ({ id: String(at), method: "PUT", url }))
    expect(new Set(operations(requests).map(({ orderKey }) => orderKey))).toEqual(new Set(["/users/1"]))
    expect(operations([get("a"), get("b", { method: "HEAD" })]).map(({ orderKey }) => orderKey)).toEqual([
      undefined,
      undefined,
    ])
  })
})

describe("the ids of a batch", () => {
  it.each([undefined, null, 7, "", "x".repeat(257), {}, ["a"]])("refuse the batch when one is %j", (id) => {
    expect(refusal([get("a"), { ...get("b"), id }])).toMatchObject({ code: "INVALID_BATCH", pointer: "/requests/1/id" })
  })

  it("may have 256 characters, whichever they are", () => {
    for (const id of ["x".repeat(256), " ", "\u0000", "__proto__", "@{", "a.b", "\ud800"]) {
      expect(operations([get(id)])[0]!.id).toBe(id)
    }
  })

  it("refuse the batch when two are the same", () => {
    expect(refusal([get("a"), get("b"), get("a")])).toMatchObject({ code: "DUPLICATE_ID", pointer: "/requests/2/id" })
    expect(refusal([get("__proto__"), get("__proto__")])).toMatchObject({ code: "DUPLICATE_ID" })
  })

  it.each([null, 7, "a", [], [[]]])("refuse the batch when a request is %j", (request) => {
    expect(refusal([request])).toMatchObject({ code: "INVALID_BATCH" })
  })
})

describe("dependsOn", () => {
  it("names requests before and after, with the statuses that are good too", () => {
    const requests = [
      get("a", { dependsOn: ["c"] }),
      get("b", { dependsOn: ["a", { id: "c", accept: [404, 409] }] }),
      get("c"),
    ]
    expect(dependencies(requests)).toEqual([[["c"]], [["a"], ["c", 404, 409]], []])
    expect(dependencies([get("a", { dependsOn: null }), get("b", { dependsOn: [] })])).toEqual([[], []])
  })

  it.each([
    ["b", "array"],
    [{ 0: "b", length: 1 }, "array"],
    [["c"], "no request"],
    [["__proto__"], "no request"],
    [["constructor"], "no request"],
    [["a"], "itself"],
    [[{ id: "a" }], "itself"],
    [[7], "holds ids"],
    [[null], "holds ids"],
    [[["b"]], "holds ids"],
    [[{}], "holds ids"],
    [[{ id: "b", accept: 409 }], "holds ids"],
    [[{ id: "b", accept: ["409"] }], "holds ids"],
    [[{ id: "b", accept: [99] }], "holds ids"],
    [[{ id: "b", accept: [600] }], "holds ids"],
    [[{ id: "b", accept: [409.5] }], "holds ids"],
  ])("refuses the batch when it is %j", (dependsOn, why) => {
    const reason = refusal([get("a", { dependsOn }), get("b")])
    expect(reason).toMatchObject({ code: "INVALID_DEPENDENCY", status: 400, pointer: "/requests/0/dependsOn" })
    expect(reason.message.toLowerCase()).toContain(why)
  })

  it("counts a request that is named twice once, with the statuses that both accept", () => {
    const dependsOn = [
      { id: "b", accept: [404, 409] },
      { id: "b", accept: [409, 410] },
    ]
    expect(dependencies([get("a", { dependsOn }), get("b")])).toEqual([[["b", 409]], []])
    expect(dependencies([get("a", { dependsOn: ["b", "b"] }), get("b")])).toEqual([[["b"]], []])
    expect(dependencies([get("a", { dependsOn: ["b", { id: "b", accept: [409] }] }), get("b")])).toEqual([[["b"]], []])
  })

  it("of a request that is refused itself is still checked", () => {
    expect(refusal([get("a", { method: "X", dependsOn: ["c"] })])).toMatchObject({ code: "INVALID_DEPENDENCY" })
  })

  it("may name a group, which stands for all of its members", () => {
    const atomic: StrategyOffer = { default: { _tag: "partial" }, choices: ["atomic"] }
    const requests = [
      get("a", { atomicityGroup: "g" }),
      get("b", { atomicityGroup: "g" }),
      get("c", { dependsOn: ["g", "g", { id: "b", accept: [409] }] }),
    ]
    expect(dependencies(requests, atomic)).toEqual([[], [], [["a"], ["b"]]])
  })
})

describe("references", () => {
  it("are dependencies, in urls and in strings at any depth", () => {
    const requests = [get("a"), get("b", { url: "/@{a.body.id}" }), post("c", { x: [{ y: "of @{b.status}" }] })]
    expect(dependencies(requests)).toEqual([[], [["a"]], [["b"]]])
  })

  it("keep what an explicit dependency accepts", () => {
    const requests = [get("a"), post("b", "@{a.status}", { dependsOn: [{ id: "a", accept: [404] }] })]
    expect(dependencies(requests)).toEqual([[], [["a", 404]]])
  })

  it("are plain text in names of members, in headers, and with ids of no request", () => {
    const requests = [get("a"), post("b", { "@{a.body}": "@{x.body}" }, { headers: { "x-own": "@{a.status}" } })]
    expect(dependencies(requests)).toEqual([[], []])
  })

  it("leave the check of the url to when they are resolved", () => {
    const [, operation] = operations([get("a"), get("b", { url: "@{a.headers.location}" })])
    expect(operation!.result).toBeUndefined()
    expect(operation!.input.urlTemplate).toEqual([{ id: "a", path: ["headers", "location"] }])
  })

  it("may be written with escapes of JSON", () => {
    const text = `{"requests":[{"id":"a","method":"GET","url":"/"},{"id":"b","method":"GET","url":"/\\u0040\\u007ba.status}"}]}`
    const envelope = { value: JSON.parse(text), text, bytes: text.length }
    const decoded = Result.getOrThrow(codec.decode(envelope, { limits: Limits.make(), strategy: offer }))
    expect(decoded.operations[1]!.dependsOn).toHaveLength(1)
  })
})

describe("atomicityGroup", () => {
  it("is refused where the endpoint has no transactions", () => {
    expect(refusal([get("a"), get("b", { atomicityGroup: "g" })])).toMatchObject({
      code: "STRATEGY_NOT_OFFERED",
      pointer: "/requests/1/atomicityGroup",
    })
  })
})

describe("a hostile batch", () => {
  const within = (milliseconds: number, requests: unknown, strategy = offer) => {
    const text = JSON.stringify({ requests })
    const envelope = { value: JSON.parse(text), text, bytes: text.length }
    const startedAt = performance.now()
    const decoded = codec.decode(envelope, { limits: Limits.make(), strategy })
    expect(performance.now() - startedAt).toBeLessThan(milliseconds)
    return Result.getOrThrow(decoded).operations
  }
  const count = 1_000

  it("full of marks against hundreds of unlike ids is decoded without delay, and sound requests in it run", () => {
    for (const body of ["@{.".repeat(3_000), "@{}}}}}".repeat(1_300), "@{".repeat(4_500)]) {
      const requests = Array.from({ length: count }, (_, at) => post(at < 256 ? "x".repeat(at + 1) : `y${at}`, body))
      const decoded = within(2_000, [...requests.slice(1), post("sound", "@{y999.body}")])
      expect(decoded.at(-2)!.result?.failure).toMatchObject({ code: "INVALID_REQUEST" })
      expect(decoded.at(-1)!.result).toBeUndefined()
    }
  })

  it("that repeats its dependencies is decoded without delay", () => {
    const repeated = Array.from({ length: 150_000 }, () => "0")
    const references = Array.from({ length: count - 2 }, (_, at) => `@{${at + 1}.body}`)
    const requests = Array.from({ length: count }, (_, at) =>
      at === count - 1 ? post(String(at), references, { dependsOn: repeated }) : post(String(at), 0),
    )
    expect(within(2_000, requests).at(-1)!.dependsOn).toHaveLength(count - 1)
  })

  it("that repeats the name of a large group is decoded without delay", () => {
    const named = Array.from({ length: 200 }, () => "g")
    const requests = Array.from({ length: count }, (_, at) =>
      post(String(at), 0, at < 900 ? { atomicityGroup: "g" } : { dependsOn: named }),
    )
    const decoded = within(2_000, requests, { default: { _tag: "partial" }, choices: ["atomic"] })
    expect(decoded.at(-1)!.dependsOn).toHaveLength(900)
  })
})
