import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import type { BatchError } from "../../src/batch/BatchError.ts"
import * as Limits from "../../src/batch/Limits.ts"
import type { HttpRequest } from "../../src/http/HttpMessage.ts"
import { readEnvelope } from "../../src/http/readBody.ts"
import { request, stream } from "../support/request.ts"

const read = (sent: HttpRequest, limits: Limits.LimitsOptions = {}) =>
  Effect.runPromise(readEnvelope(sent, Limits.make(limits), "users"))

const refusal = async (sent: HttpRequest, limits: Limits.LimitsOptions = {}): Promise<BatchError["reason"]> =>
  (await Effect.runPromise(Effect.flip(readEnvelope(sent, Limits.make(limits), "users")))).reason

/** A body that fails the test if it is read. */
const unreadable: HttpRequest["body"] = {
  _tag: "Stream",
  bytes: {
    [Symbol.asyncIterator]: () => {
      throw new Error("The body was read")
    },
  },
}

/** An endless body that records how many bytes were read from it. */
const endless = (chunk: string) => {
  const consumed = { bytes: 0, ended: false }
  const bytes = (async function* () {
    try {
      for (;;) {
        consumed.bytes += chunk.length
        yield new TextEncoder().encode(chunk)
      }
    } finally {
      consumed.ended = true
    }
  })()
  return { consumed, body: { _tag: "Stream", bytes } as const }
}

const withType = (contentType: string | undefined) =>
  request(stream("{}"), { headers: { "content-type": contentType } })

describe("a body", () => {
  it("is parsed for any division into chunks", async () => {
    const text = `{"users":["Zoë 😀"]}`
    const bytes = new TextEncoder().encode(text)
    for (let cut = 0; cut <= bytes.length; cut++) {
      const envelope = await read(request(stream(bytes.subarray(0, cut), bytes.subarray(cut))))
      expect(envelope).toEqual({ value: { users: ["Zoë 😀"] }, text, bytes: bytes.length })
    }
  })

  it("may begin with a byte order mark", async () => {
    expect((await read(request(stream("\ufeff{}")))).value).toEqual({})
  })

  it("is used as the host has parsed it", async () => {
    const value = { users: [] }
    const envelope = await read(request({ _tag: "Parsed", value }, { headers: { "content-length": "12" } }))
    expect(envelope).toEqual({ value, text: undefined, bytes: 12 })
    expect(envelope.value).toBe(value)
  })

  it.each(["", " ", "{", `{"a":}`, "undefined", "NaN", "'a'", "{}{}", `{"a":1,}`, "\u0000"])(
    "of %j is refused as malformed",
    async (text) => {
      const reason = await refusal(request(stream(text)))
      expect(reason).toMatchObject({ status: 400, code: "MALFORMED_JSON" })
      expect(reason.message).toContain("The body is not JSON")
    },
  )

  it("without a byte is refused as empty", async () => {
    expect((await refusal(request(stream()))).message).toContain("empty")
  })

  it("that is not UTF-8 is refused", async () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc3, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0xff, 0xfe, 0x7b, 0, 0x7d, 0],
    ]) {
      const reason = await refusal(request(stream(Uint8Array.from(bytes))))
      expect(reason).toMatchObject({ status: 400, code: "MALFORMED_JSON" })
      expect(reason.message).toContain("UTF-8")
    }
  })
})

describe("the content type", () => {
  it.each([
    "application/json",
    "application/json; charset=utf-8",
    `application/json;charset="UTF-8"`,
    "application/json; charset=utf8",
    "APPLICATION/JSON",
    "application/vnd.api+json",
  ])("%s is accepted", async (type) => expect((await read(withType(type))).value).toEqual({}))

  it.each([
    undefined,
    "",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "application/jsonp",
    "application/json; charset=utf-16",
    "application/json; charset=iso-8859-1",
  ])("%s is refused", async (type) => {
    expect(await refusal(withType(type))).toMatchObject({ status: 415, code: "UNSUPPORTED_MEDIA_TYPE" })
  })

  it.each(["gzip", "br", "deflate", "gzip, identity"])("with the content encoding %s is refused", async (encoding) => {
    const sent = request(unreadable, { headers: { "content-encoding": encoding } })
    expect(await refusal(sent)).toMatchObject({ status: 415, code: "UNSUPPORTED_MEDIA_TYPE" })
  })

  it("with the content encoding identity, or one that the host has decoded, is accepted", async () => {
    expect((await read(request(stream("{}"), { headers: { "content-encoding": "Identity" } }))).value).toEqual({})
    const parsed = request({ _tag: "Parsed", value: {} }, { headers: { "content-encoding": "gzip" } })
    expect((await read(parsed)).value).toEqual({})
  })

  it("with a content encoding that the host has decoded leaves the size unknown", async () => {
    const headers = { "content-encoding": "gzip", "content-length": "12" }
    expect((await read(request({ _tag: "Parsed", value: {} }, { headers }))).bytes).toBeUndefined()
  })
})

describe("the limit on bytes", () => {
  it("refuses a body by its declared length, without reading it", async () => {
    const sent = request(unreadable, { headers: { "content-length": "101" } })
    expect(await refusal(sent, { bodyBytes: 100 })).toMatchObject({
      status: 413,
      code: "PAYLOAD_TOO_LARGE",
      limit: 100,
      actual: 101,
    })
  })

  it("accepts a body of exactly that many bytes", async () => {
    const text = `"${"x".repeat(98)}"`
    expect((await read(request(stream(text)), { bodyBytes: 100 })).bytes).toBe(100)
    expect(await refusal(request(stream(text, " ")), { bodyBytes: 100 })).toMatchObject({ actual: 101, limit: 100 })
  })

  it("stops reading a body of undeclared length as soon as it is exceeded", async () => {
    const { consumed, body } = endless("x".repeat(1_000))
    expect(await refusal(request(body), { bodyBytes: 100_000 })).toMatchObject({
      status: 413,
      code: "PAYLOAD_TOO_LARGE",
    })
    expect(consumed.bytes).toBeLessThanOrEqual(102_000)
    expect(consumed.ended).toBe(true)
  })

  it("does not trust a declared length that is too small", async () => {
    const { consumed, body } = endless("x".repeat(1_000))
    const sent = request(body, { headers: { "content-length": "5" } })
    expect(await refusal(sent, { bodyBytes: 100_000 })).toMatchObject({ code: "PAYLOAD_TOO_LARGE" })
    expect(consumed.bytes).toBeLessThanOrEqual(102_000)
  })
})

describe("the limit on operations", () => {
  it("refuses a large body as soon as it is exceeded, without parsing it", async () => {
    const { consumed, body } = endless(`{},`.repeat(1_000))
    const sent = request({
      _tag: "Stream",
      bytes: (async function* () {
        yield new TextEncoder().encode(`{"users":[`)
        yield* body.bytes
      })(),
    })
    const reason = await refusal(sent, { operations: 200_000, bodyBytes: 64 * 1024 * 1024 })
    expect(reason).toMatchObject({ status: 413, code: "TOO_MANY_OPERATIONS", limit: 200_000, actual: 200_001 })
    expect(consumed.bytes).toBeLessThan(1_000_000)
    expect(consumed.ended).toBe(true)
  })

  it("does not apply while a small body is read", async () => {
    const items = Array.from({ length: 5_000 }, () => 0)
    expect((await read(request(stream(JSON.stringify({ users: items }))))).value).toEqual({ users: items })
  })

  it("is checked from the first byte if the declared length is large", async () => {
    const { consumed, body } = endless(`{"users":[${"0,".repeat(2_000)}`)
    const sent = request(body, { headers: { "content-length": "1000000" } })
    expect((await refusal(sent)).code).toBe("TOO_MANY_OPERATIONS")
    expect(consumed.bytes).toBeLessThan(20_000)
  })
})

describe("a large body with an unrelated array beside the list", () => {
  it("is not refused for the members of that array", async () => {
    const value = { users: [{ name: "a" }], pad: "x".repeat(300_000), labels: Array.from({ length: 1_001 }, () => 1) }
    const sent = request(stream(JSON.stringify(value)))
    expect((await read(sent)).value).toEqual(value)
  })
})

describe("the limit on depth", () => {
  it("refuses a large body as soon as it is exceeded", async () => {
    const { consumed, body } = endless("[".repeat(10_000))
    const sent = request(body, { headers: { "content-length": "1000000" } })
    expect(await refusal(sent)).toMatchObject({ status: 400, code: "TOO_DEEP", limit: 64 })
    expect(consumed.bytes).toBe(10_000)
  })

  it("applies to values that the host has parsed", async () => {
    const value = JSON.parse(`${"[".repeat(65)}${"]".repeat(65)}`)
    expect(await refusal(request({ _tag: "Parsed", value }))).toMatchObject({ code: "TOO_DEEP" })
  })

  it("is enforced for 100,000 levels without a stack overflow", async () => {
    const text = `${"[".repeat(100_000)}${"]".repeat(100_000)}`
    await expect(read(request(stream(text)))).resolves.toBeDefined()
    const sent = request(stream(text.repeat(2)), { headers: { "content-length": "400000" } })
    expect((await refusal(sent)).code).toBe("TOO_DEEP")
  })
})

describe("an incomplete body", () => {
  const silent: HttpRequest["body"] = {
    _tag: "Stream",
    bytes: { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) },
  }

  it.effect("is refused with 408 when the receive timeout has passed", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(
        Effect.flip(readEnvelope(request(silent), Limits.make({ receiveTimeout: 1_000 }), "users")),
      )
      yield* TestClock.adjust(999)
      expect(fiber.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust(1)
      const { reason } = yield* Fiber.join(fiber)
      expect(reason).toMatchObject({ status: 408, code: "TIMEOUT", limit: 1_000 })
    }),
  )

  it("of a client that disconnects is refused with 499", async () => {
    const broken: HttpRequest["body"] = {
      _tag: "Stream",
      bytes: (async function* () {
        yield new TextEncoder().encode(`{"users":`)
        throw new Error("aborted")
      })(),
    }
    expect(await refusal(request(broken))).toMatchObject({ status: 499, code: "CANCELLED" })
  })
})
