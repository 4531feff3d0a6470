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

const encodeOne = (result: OperationResult, options: Partial<JsonBatch.JsonBatchOptions> = {}) =>
  encode([result], options).responses[0]

describe("the response to a JSON batch", () => {
  it("contains the status and the body of each reply", () => {
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

  it("has the status 200 even if everything failed", () => {
    expect(encode([json(500, {}), json(404, {})]).status).toBe(200)
  })

  it("contains JSON as the application wrote it", () => {
    const text = `{ "n": 12345678901234567890, "e": 1e400, "twice": 1, "twice": 2 }`
    expect(encode([reply(200, { "content-type": "application/problem+json" }, text)]).body).toContain(text)
  })

  it.each([
    ["text/plain", "hi ü"],
    ["text/html; charset=utf-8", "<p>"],
    ["TEXT/CSV", "a,b"],
  ])("contains %s as a string, with its content type", (type, text) => {
    expect(encodeOne(reply(200, { "content-type": type }, text))).toEqual({
      id: "req-1",
      status: 200,
      headers: { "content-type": type },
      body: text,
    })
  })

  it("decodes text by its charset", () => {
    const body = Uint8Array.from([0x5a, 0x6f, 0xeb])
    expect(encodeOne(reply(200, { "content-type": "text/plain; charset=iso-8859-1" }, body))).toMatchObject({
      body: "Zoë",
    })
    const unknown = { "content-type": "text/plain; charset=klingon" }
    expect(encodeOne(reply(200, unknown, "abc"))).toMatchObject({ body: "abc" })
  })

  it("contains other types in base64, of any size", () => {
    const body = Uint8Array.from({ length: 100_000 }, (_, index) => index % 256)
    const response = encodeOne(reply(200, { "content-type": "image/png" }, body))
    expect(response).toMatchObject({ headers: { "content-type": "image/png" } })
    expect(Buffer.from(response!["body"] as string, "base64")).toEqual(Buffer.from(body))
    expect(encodeOne(reply(200, {}, "raw"))).toEqual({
      id: "req-1",
      status: 200,
      body: Buffer.from("raw").toString("base64"),
    })
  })

  it("contains invalid JSON in base64, so that the response stays valid", () => {
    for (const text of ["{", "undefined", `{"a":1}]`, "\u0000"]) {
      const response = encodeOne(reply(200, { "content-type": "application/json" }, text))
      expect(response).toMatchObject({ headers: { "content-type": "application/json" } })
      expect(Buffer.from(response!["body"] as string, "base64").toString()).toBe(text)
    }
  })

  it.each([204, 200, 304, 404])("has the body null for an empty reply with the status %i", (status) => {
    for (const type of ["application/json", "text/plain", "image/png"]) {
      expect(encodeOne(reply(status, { "content-type": type }))).toEqual({ id: "req-1", status, body: null })
    }
  })

  it("contains the headers that clients need, and those configured in any letter case", () => {
    const headers = {
      location: "/u/1",
      etag: '"1"',
      "retry-after": "3",
      "set-cookie": ["a=1", "b=2"],
      "x-own": "v",
      date: "d",
    }
    expect(encodeOne(json(201, {}, headers))!["headers"]).toEqual({ location: "/u/1", etag: '"1"', "retry-after": "3" })
    const exposeHeaders = ["Set-Cookie", "X-Own", "x-absent"]
    expect(encodeOne(json(201, {}, headers), { exposeHeaders })!["headers"]).toEqual({
      location: "/u/1",
      etag: '"1"',
      "retry-after": "3",
      "set-cookie": "a=1, b=2",
      "x-own": "v",
    })
  })

  it("contains the content type of every body if that is configured", () => {
    const contentType = true
    expect(encodeOne(json(200, {}), { contentType })!["headers"]).toEqual({
      "Content-Type": "application/json; charset=utf-8",
    })
    expect(encodeOne(reply(200, {}, "x"), { contentType })!["headers"]).toEqual({
      "Content-Type": "application/octet-stream",
    })
    expect(encodeOne(reply(204, {}), { contentType })).not.toHaveProperty("headers")
    const refused = OperationResult.error(failure("INVALID_REQUEST", "m"))
    expect(encodeOne(refused, { contentType })!["headers"]).toEqual({ "Content-Type": "application/problem+json" })
  })

  it("contains a problem document without headers for operations that did not run", () => {
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

  it("replaces replies beyond the limit with a problem which says that the request ran", () => {
    const results = Array.from({ length: 4 }, () => json(200, { text: "x".repeat(100) }))
    const { responses } = encode(results, {}, 300)
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 507, 507])
    expect(responses[3]!["body"]).toMatchObject({ code: "RESPONSE_TOO_LARGE", retryable: false })
  })
})
