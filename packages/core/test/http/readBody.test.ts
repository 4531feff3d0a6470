import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import type { BatchError } from "../../src/batch/BatchError.ts"
import * as Limits from "../../src/batch/Limits.ts"
import type { HttpRequest } from "../../src/http/HttpMessage.ts"
import { readEnvelope } from "../../src/http/readBody.ts"
import { request, stream } from "../support/request.ts"

const read = (given: HttpRequest, limits: Limits.LimitsOptions = {}) =>
  Effect.runPromise(readEnvelope(given, Limits.make(limits)))

const refusal = async (given: HttpRequest, limits: Limits.LimitsOptions = {}): Promise<BatchError["reason"]> =>
  (await Effect.runPromise(Effect.flip(readEnvelope(given, Limits.make(limits))))).reason

/** A body that must not be read. */
const unread: HttpRequest["body"] = {
  _tag: "Stream",
  bytes: {
    [Symbol.asyncIterator]: () => {
      throw new Error("The body was read")
    },
  },
}

/** Counts how much of an endless body was asked for. */
const endless = (chunk: string) => {
  const seen = { bytes: 0, ended: false }
  const bytes = (async function* () {
    try {
      for (;;) {
        seen.bytes += chunk.length
        yield new TextEncoder().encode(chunk)
      }
    } finally {
      seen.ended = true
    }
  })()
  return { seen, body: { _tag: "Stream", bytes } as const }
}

const typed = (contentType: string | undefined) => request(stream("{}"), { headers: { "content-type": contentType } })

describe("a body", () => {
  it("is read and parsed, however it is cut", async () => {
    const text = `{"users":["Zoë 😀"]}`
    const whole = new TextEncoder().encode(text)
    for (let cut = 0; cut <= whole.length; cut++) {
      const envelope = await read(request(stream(whole.subarray(0, cut), whole.subarray(cut))))
      expect(envelope).toEqual({ value: { users: ["Zoë 😀"] }, text, bytes: whole.length })
    }
  })

  it("may begin with a byte order mark", async () => {
    expect((await read(request(stream("\ufeff{}")))).value).toEqual({})
  })

  it("is taken as the host parsed it", async () => {
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

  it("without a byte is called empty", async () => {
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
  ])("may be %s", async (type) => expect((await read(typed(type))).value).toEqual({}))

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
  ])("must not be %s", async (type) => {
    expect(await refusal(typed(type))).toMatchObject({ status: 415, code: "UNSUPPORTED_MEDIA_TYPE" })
  })

  it.each(["gzip", "br", "deflate", "gzip, identity"])("must not come with the encoding %s", async (encoding) => {
    const given = request(unread, { headers: { "content-encoding": encoding } })
    expect(await refusal(given)).toMatchObject({ status: 415, code: "UNSUPPORTED_MEDIA_TYPE" })
  })

  it("may come with the encoding identity, and with any that the host has undone", async () => {
    expect((await read(request(stream("{}"), { headers: { "content-encoding": "Identity" } }))).value).toEqual({})
    const parsed = request({ _tag: "Parsed", value: {} }, { headers: { "content-encoding": "gzip" } })
    expect((await read(parsed)).value).toEqual({})
  })

  it("is of unknown size where the host has undone one", async () => {
    const headers = { "content-encoding": "gzip", "content-length": "12" }
    expect((await read(request({ _tag: "Parsed", value: {} }, { headers }))).bytes).toBeUndefined()
  })
})

describe("the limit of bytes", () => {
  it("refuses a body by its declared length, without reading it", async () => {
    const given = request(unread, { headers: { "content-length": "101" } })
    expect(await refusal(given, { bodyBytes: 100 })).toMatchObject({
      status: 413,
      code: "PAYLOAD_TOO_LARGE",
      limit: 100,
      actual: 101,
    })
  })

  it("takes a body of exactly as many bytes", async () => {
    const text = `"${"x".repeat(98)}"`
    expect((await read(request(stream(text)), { bodyBytes: 100 })).bytes).toBe(100)
    expect(await refusal(request(stream(text, " ")), { bodyBytes: 100 })).toMatchObject({ actual: 101, limit: 100 })
  })

  it("stops reading a body without declared length as soon as there are too many", async () => {
    const { seen, body } = endless("x".repeat(1_000))
    expect(await refusal(request(body), { bodyBytes: 100_000 })).toMatchObject({
      status: 413,
      code: "PAYLOAD_TOO_LARGE",
    })
    expect(seen.bytes).toBeLessThanOrEqual(102_000)
    expect(seen.ended).toBe(true)
  })

  it("does not believe a declared length that is too small", async () => {
    const { seen, body } = endless("x".repeat(1_000))
    const given = request(body, { headers: { "content-length": "5" } })
    expect(await refusal(given, { bodyBytes: 100_000 })).toMatchObject({ code: "PAYLOAD_TOO_LARGE" })
    expect(seen.bytes).toBeLessThanOrEqual(102_000)
  })
})

describe("the limit of operations", () => {
  it("refuses a large body as soon as too many were counted, without parsing it", async () => {
    const { seen, body } = endless(`{},`.repeat(1_000))
    const given = request({
      _tag: "Stream",
      bytes: (async function* () {
        yield new TextEncoder().encode(`{"users":[`)
        yield* body.bytes
      })(),
    })
    const reason = await refusal(given, { operations: 200_000, bodyBytes: 64 * 1024 * 1024 })
    expect(reason).toMatchObject({ status: 413, code: "TOO_MANY_OPERATIONS", limit: 200_000, actual: 200_001 })
    expect(seen.bytes).toBeLessThan(1_000_000)
    expect(seen.ended).toBe(true)
  })

  it("leaves small bodies to be counted exactly, once parsed", async () => {
    const items = Array.from({ length: 5_000 }, () => 0)
    expect((await read(request(stream(JSON.stringify({ users: items }))))).value).toEqual({ users: items })
  })

  it("counts from the first byte where a large body is declared", async () => {
    const { seen, body } = endless(`[${"0,".repeat(2_000)}`)
    const given = request(body, { headers: { "content-length": "1000000" } })
    expect((await refusal(given)).code).toBe("TOO_MANY_OPERATIONS")
    expect(seen.bytes).toBeLessThan(20_000)
  })
})

describe("the limit of depth", () => {
  it("refuses a large body as soon as it is too deep", async () => {
    const { seen, body } = endless("[".repeat(10_000))
    const given = request(body, { headers: { "content-length": "1000000" } })
    expect(await refusal(given)).toMatchObject({ status: 400, code: "TOO_DEEP", limit: 64 })
    expect(seen.bytes).toBe(10_000)
  })

  it("holds for what the host parsed", async () => {
    const value = JSON.parse(`${"[".repeat(65)}${"]".repeat(65)}`)
    expect(await refusal(request({ _tag: "Parsed", value }))).toMatchObject({ code: "TOO_DEEP" })
  })

  it("of 100,000 levels does no harm to the parser", async () => {
    const text = `${"[".repeat(100_000)}${"]".repeat(100_000)}`
    await expect(read(request(stream(text)))).resolves.toBeDefined()
    const given = request(stream(text.repeat(2)), { headers: { "content-length": "400000" } })
    expect((await refusal(given)).code).toBe("TOO_DEEP")
  })
})

describe("a body that does not arrive", () => {
  const silent: HttpRequest["body"] = {
    _tag: "Stream",
    bytes: { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) },
  }

  it.effect("is given up when its time is over", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(
        Effect.flip(readEnvelope(request(silent), Limits.make({ receiveTimeout: 1_000 }))),
      )
      yield* TestClock.adjust(999)
      expect(fiber.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust(1)
      const { reason } = yield* Fiber.join(fiber)
      expect(reason).toMatchObject({ status: 408, code: "TIMEOUT", limit: 1_000 })
    }),
  )

  it("because the client went away is refused with nobody to read it", async () => {
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
