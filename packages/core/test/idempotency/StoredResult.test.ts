import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { storedReplies } from "../../src/formats/requests/storedReplies.ts"
import { failure } from "../../src/batch/Failure.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import type { Reply } from "../../src/formats/requests/SubRequest.ts"
import * as StoredResult from "../../src/idempotency/StoredResult.ts"
import { jsonValues } from "../../src/idempotency/jsonValues.ts"

const replies = storedReplies(["X-Shown"])
const maxStoredBytes = 65_536

const reply = (given: Partial<Reply> & { readonly text?: string } = {}): Reply => {
  const text = given.text ?? "{}"
  return { status: 200, headers: {}, body: new TextEncoder().encode(text), ...given, text }
}

const roundTrip = (result: OperationResult, format = jsonValues, maxBytes = maxStoredBytes) =>
  StoredResult.read(StoredResult.write(result, format, maxBytes), format)

describe("a result", () => {
  it("is read as a replay of what was written", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        const json = JSON.parse(JSON.stringify(value)) as unknown
        expect(roundTrip(OperationResult.success(value, 201))).toEqual({
          ...OperationResult.success(json, 201),
          replayed: true,
        })
      }),
    )
  })

  it("that is a failure keeps its code, message, status and details", () => {
    const why = failure("DUPLICATE", "Taken", {
      field: "email",
      errors: [{ message: "m" }],
      retryable: true,
      retryAfter: 3,
    })
    const read = roundTrip(OperationResult.error(why))
    expect(read).toEqual({ ...OperationResult.error(why), replayed: true })
  })

  const sizes = [0, 1, 65_536 - 31, 65_536 - 30, 65_536 - 29, 65_537, 5e7]

  it.each(sizes)("of %i characters keeps its value if it does not exceed the maximum size", (size) => {
    const text = StoredResult.write(
      OperationResult.success({ id: "u_1", x: "y".repeat(size) }),
      jsonValues,
      maxStoredBytes,
    )
    const isWhole =
      JSON.stringify({ o: "success", s: 200, v: { id: "u_1", x: "y".repeat(size) } }).length <= maxStoredBytes
    expect(StoredResult.read(text, jsonValues).value).toEqual(
      isWhole ? { id: "u_1", x: "y".repeat(size) } : { id: "u_1" },
    )
    expect(text.length).toBeLessThanOrEqual(maxStoredBytes + 1)
  })

  it("is measured in bytes, not in characters", () => {
    const result = OperationResult.success("€".repeat(30_000))
    expect(roundTrip(result).value).toBeUndefined()
    expect(roundTrip(result, jsonValues, 100_000).value).toBe("€".repeat(30_000))
  })
})

describe("an unreadable text", () => {
  const whole = StoredResult.write(OperationResult.success({ id: "u_1" }), jsonValues, maxStoredBytes)

  it("is read as an unknown outcome", () => {
    const texts = [
      "",
      "1",
      "null",
      "1null",
      "1[]",
      "1{}",
      "0" + whole.slice(1),
      "2" + whole.slice(1),
      whole.slice(1),
      `1{"o":"skipped","s":424}`,
      `1{"o":"success","s":"200"}`,
      `1{"o":"success"}`,
      `1{"o":"error","s":404}`,
      `1{"o":"error","s":404,"v":{"id":1}}`,
      `1{"o":"error","s":404,"f":{}}`,
      `1{"o":"error","s":404,"f":{"code":1,"message":"m"}}`,
      `1{"o":"success","s":200,"f":{"code":"X","message":"m"}}`,
      ...Array.from({ length: whole.length }, (_, end) => whole.slice(0, end)),
    ]
    for (const text of texts) {
      for (const format of [jsonValues, replies]) {
        const { outcome, failure: why, answered, replayed } = StoredResult.read(text, format)
        expect({ text, outcome, code: why?.code, answered, replayed }).toEqual({
          text,
          outcome: "error",
          code: "OUTCOME_UNKNOWN",
          answered: false,
          replayed: false,
        })
      }
    }
  })

  it("includes replies of another form", () => {
    for (const v of [
      undefined,
      null,
      1,
      "x",
      [],
      {},
      { s: 200 },
      { s: "200", h: {} },
      { s: 200, h: {}, t: 1 },
      { s: 200, h: {}, b: "%" },
    ]) {
      const text = `1${JSON.stringify({ o: "success", s: 200, v })}`
      expect(StoredResult.read(text, replies).failure?.code).toBe("OUTCOME_UNKNOWN")
    }
  })

  it("never throws", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((json) => `1${json}`),
        ),
        (text) => {
          for (const format of [jsonValues, replies])
            expect(StoredResult.read(text, format)).toBeInstanceOf(OperationResult)
        },
      ),
    )
  })
})

describe("the reply of a sub-request", () => {
  it("keeps headers that clients need and those of the option, but none that belong to the first request", () => {
    const headers = {
      "content-type": "application/json",
      location: "/users/1",
      etag: `"1"`,
      "content-language": "de",
      "x-shown": ["a", "b"],
      "set-cookie": ["session=1"],
      date: "Mon, 01 Jan 2029 00:00:00 GMT",
      "retry-after": "5",
      ratelimit: `"a";r=1;t=1`,
      "ratelimit-policy": `"a";q=1;w=1`,
      "x-ratelimit-remaining": "1",
      "www-authenticate": "Basic",
      authorization: "Bearer x",
      "x-request-id": "1",
      traceparent: "00-1",
      connection: "keep-alive",
      "transfer-encoding": "chunked",
      "content-length": "2",
      "x-other": "1",
    }
    const read = roundTrip(OperationResult.replied(201, reply({ status: 201, headers })), replies).value as Reply
    expect(read).toEqual({
      status: 201,
      headers: {
        "content-type": "application/json",
        location: "/users/1",
        etag: `"1"`,
        "content-language": "de",
        "x-shown": ["a", "b"],
      },
      body: new TextEncoder().encode("{}"),
      text: "{}",
    })
  })

  it("keeps bytes that are not text", () => {
    const body = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256)
    const read = roundTrip(
      OperationResult.replied(200, reply({ body, text: new TextDecoder().decode(body) })),
      replies,
      1e6,
    )
    expect((read.value as Reply).body).toEqual(body)
  })

  it("that is too large keeps its status and location, and says that its body was not kept", () => {
    const headers = { location: "/users/1", "content-type": "text/plain" }
    const large = OperationResult.replied(201, reply({ status: 201, headers, text: "x".repeat(100_000) }))
    expect(roundTrip(large, replies)).toMatchObject({
      outcome: "success",
      status: 201,
      value: {
        status: 201,
        headers: { location: "/users/1", "content-type": "application/problem+json" },
        text: expect.stringContaining("RESULT_NOT_KEPT"),
      },
    })
  })

  it("that is an error is read as a reply, not as a failure", () => {
    const read = roundTrip(OperationResult.replied(404, reply({ status: 404 })), replies)
    expect(read).toMatchObject({
      outcome: "error",
      status: 404,
      failure: undefined,
      value: { status: 404, text: "{}" },
    })
  })
})

describe("results that share a text", () => {
  const success = (value: unknown, status = 201) => OperationResult.success(value, status)
  const writeAll = (results: ReadonlyArray<OperationResult>, format = jsonValues, maxBytes = 1e6) =>
    StoredResult.writeAll(results, format, maxBytes)

  it("are read as if each had been written alone", () => {
    const names = fc.string().filter((name) => name !== "toJSON")
    const objects = fc.array(fc.dictionary(names, fc.jsonValue({ maxDepth: 2 })), { minLength: 2 })
    fc.assert(
      fc.property(objects, (given) => {
        const results = given.map((value) => success(value))
        const { text, count } = writeAll(results)!
        expect(count).toBe(results.length)
        expect(StoredResult.readAll(text, jsonValues)).toEqual(results.map((result) => roundTrip(result)))
      }),
    )
  })

  it.each([
    ["of another status", [success({}), success({}, 200)]],
    ["a failure", [success({}), OperationResult.error(failure("DUPLICATE", "Taken"))]],
    ["without a value", [success({}), success(undefined)]],
    ["that is not an object", [success({}), success("text")]],
    ["that is not JSON", [success({}), success({ big: 1n })]],
    ["that has a toJSON", [success({}), success({ toJSON: () => undefined })]],
    ["whose status is not an integer", [success({}, 200.5), success({}, 200.5)]],
  ])("do not include one %s", (_, results) => {
    expect(writeAll(results)).toBeUndefined()
  })

  it("are the first ones of the same form that fit, and none of a format with a form of its own", () => {
    const alike = Array.from({ length: 9 }, (_, n) => success({ n }))
    const few = `1${JSON.stringify({ s: 201, all: [{ n: 0 }, { n: 1 }, { n: 2 }] })}`
    expect(writeAll([...alike.slice(0, 3), success("text"), ...alike])).toEqual({ text: few, count: 3 })
    expect(writeAll(alike, jsonValues, 3 * few.length + 3)).toEqual({ text: few, count: 3 })
    expect(writeAll(alike, jsonValues, 80)).toBeUndefined()
    const answers = [OperationResult.replied(200, reply()), OperationResult.replied(200, reply())]
    expect(writeAll(answers, replies)).toBeUndefined()
  })

  it.each(["", "1", "1{}", `1{"s":201}`, `1{"s":"201","all":[]}`, `0{"s":201,"all":[{}]}`, `1{"s":201,"all":{}}`])(
    "cannot be read from %j",
    (text) => {
      expect(StoredResult.readAll(text, jsonValues)).toBeUndefined()
    },
  )
})
