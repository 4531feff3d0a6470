import { describe, expect, it } from "vitest"
import * as JsonBatch from "../../../src/formats/requests/JsonBatchCodec.ts"
import { failure } from "../../../src/batch/Failure.ts"
import * as HeaderRules from "../../../src/http/HeaderRules.ts"
import { OperationResult } from "../../../src/batch/OperationResult.ts"
import { partial } from "../../../src/batch/Strategy.ts"
import type { Reply, SubRequest } from "../../../src/formats/requests/SubRequest.ts"
import { operation } from "../../support/operation.ts"

const reply = (status: number, headers: Reply["headers"], body: string | Uint8Array = ""): OperationResult => {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body
  return OperationResult.replied(status, { status, headers, body: bytes, text: new TextDecoder().decode(bytes) })
}

const json = (status: number, value: unknown, headers: Reply["headers"] = {}) =>
  reply(status, { "content-type": "application/json; charset=utf-8", ...headers }, JSON.stringify(value))

const encode = (
  results: ReadonlyArray<OperationResult>,
  options: Partial<JsonBatch.JsonBatchOptions> = {},
  responseBytes?: number,
) => {
  const operations = results.map((result, index) =>
    operation<SubRequest>({ index, id: `req-${index + 1}`, input: undefined as never, result }),
  )
  const codec = JsonBatch.make({ headers: HeaderRules.make(), ...options })
  const { status, body } = codec.encode({ strategy: partial, operations }, { responseBytes, prefer: undefined })
  return { status, responses: JSON.parse(body).responses as ReadonlyArray<Readonly<Record<string, unknown>>>, body }
}

const one = (result: OperationResult, options: Partial<JsonBatch.JsonBatchOptions> = {}) =>
  encode([result], options).responses[0]

describe("the answer to a JSON batch", () => {
  it("is that of the article", () => {
    const { status, responses } = encode([
      json(201, { id: "u_001", name: "Alice" }),
      json(200, { id: "u_042", name: "Alice Smith" }),
      reply(204, {}),
    ])
    expect(status).toBe(200)
    expect(responses).toEqual([
      { id: "req-1", status: 201, body: { id: "u_001", name: "Alice" } },
      { id: "req-2", status: 200, body: { id: "u_042", name: "Alice Smith" } },
      { id: "req-3", status: 204, body: null },
    ])
  })

  it("is 200 even if everything failed", () => {
    expect(encode([json(500, {}), json(404, {})]).status).toBe(200)
  })

  it("carries JSON as the application wrote it", () => {
    const text = `{ "n": 12345678901234567890, "e": 1e400, "twice": 1, "twice": 2 }`
    expect(encode([reply(200, { "content-type": "application/problem+json" }, text)]).body).toContain(text)
  })

  it.each([
    ["text/plain", "hi ü"],
    ["text/html; charset=utf-8", "<p>"],
    ["TEXT/CSV", "a,b"],
  ])("carries %s as a string, and says what it is", (type, text) => {
    expect(one(reply(200, { "content-type": type }, text))).toEqual({
      id: "req-1",
      status: 200,
      headers: { "content-type": type },
      body: text,
    })
  })

  it("decodes text by its charset", () => {
    const body = Uint8Array.from([0x5a, 0x6f, 0xeb])
    expect(one(reply(200, { "content-type": "text/plain; charset=iso-8859-1" }, body))).toMatchObject({ body: "Zoë" })
    const unknown = { "content-type": "text/plain; charset=klingon" }
    expect(one(reply(200, unknown, "abc"))).toMatchObject({ body: "abc" })
  })

  it("carries everything else in base64, whatever its size", () => {
    const body = Uint8Array.from({ length: 100_000 }, (_, at) => at % 256)
    const response = one(reply(200, { "content-type": "image/png" }, body))
    expect(response).toMatchObject({ headers: { "content-type": "image/png" } })
    expect(Buffer.from(response!["body"] as string, "base64")).toEqual(Buffer.from(body))
    expect(one(reply(200, {}, "raw"))).toEqual({
      id: "req-1",
      status: 200,
      body: Buffer.from("raw").toString("base64"),
    })
  })

  it("carries in base64 what says that it is JSON and is not, so that the answer stays JSON", () => {
    for (const text of ["{", "undefined", `{"a":1}]`, "\u0000"]) {
      const response = one(reply(200, { "content-type": "application/json" }, text))
      expect(response).toMatchObject({ headers: { "content-type": "application/json" } })
      expect(Buffer.from(response!["body"] as string, "base64").toString()).toBe(text)
    }
  })

  it.each([204, 200, 304, 404])("has the body null where a %i is empty", (status) => {
    for (const type of ["application/json", "text/plain", "image/png"]) {
      expect(one(reply(status, { "content-type": type }))).toEqual({ id: "req-1", status, body: null })
    }
  })

  it("shows the headers that clients need, and those configured, in whatever letter case", () => {
    const headers = {
      location: "/u/1",
      etag: '"1"',
      "retry-after": "3",
      "set-cookie": ["a=1", "b=2"],
      "x-own": "v",
      date: "d",
    }
    expect(one(json(201, {}, headers))!["headers"]).toEqual({ location: "/u/1", etag: '"1"', "retry-after": "3" })
    const exposeHeaders = ["Set-Cookie", "X-Own", "x-absent"]
    expect(one(json(201, {}, headers), { exposeHeaders })!["headers"]).toEqual({
      location: "/u/1",
      etag: '"1"',
      "retry-after": "3",
      "set-cookie": "a=1, b=2",
      "x-own": "v",
    })
  })

  it("names the content type of every body where that is configured", () => {
    const contentType = true
    expect(one(json(200, {}), { contentType })!["headers"]).toEqual({
      "Content-Type": "application/json; charset=utf-8",
    })
    expect(one(reply(200, {}, "x"), { contentType })!["headers"]).toEqual({
      "Content-Type": "application/octet-stream",
    })
    expect(one(reply(204, {}), { contentType })).not.toHaveProperty("headers")
    const refused = OperationResult.error(failure("INVALID_REQUEST", "m"))
    expect(one(refused, { contentType })!["headers"]).toEqual({ "Content-Type": "application/problem+json" })
  })

  it("carries a problem document, and no headers, for what was not run", () => {
    const results = [
      OperationResult.error(failure("INVALID_REQUEST", "bad", { field: "url" })),
      OperationResult.skipped(failure("FAILED_DEPENDENCY", "Not run")),
    ]
    expect(encode(results).responses).toEqual([
      {
        id: "req-1",
        status: 400,
        body: {
          type: "urn:multistatus:problem:invalid-request",
          title: "Invalid request",
          status: 400,
          detail: "bad",
          code: "INVALID_REQUEST",
          field: "url",
        },
      },
      {
        id: "req-2",
        status: 424,
        body: {
          type: "urn:multistatus:problem:failed-dependency",
          title: "Failed dependency",
          status: 424,
          detail: "Not run",
          code: "FAILED_DEPENDENCY",
        },
      },
    ])
  })

  it("says of replies that there is no room for that the requests ran", () => {
    const results = Array.from({ length: 4 }, () => json(200, { text: "x".repeat(100) }))
    const { responses } = encode(results, {}, 300)
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 507, 507])
    expect(responses[3]!["body"]).toMatchObject({ code: "RESPONSE_TOO_LARGE", retryable: false })
  })
})
