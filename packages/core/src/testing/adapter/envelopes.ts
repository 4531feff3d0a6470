/** Tests of envelopes: an invalid one is refused with a problem document that reaches the client. */
import { describe, expect, it } from "vitest"
import { type Client, envelope, jsonOf } from "./Client.ts"
import type { WireResponse } from "./Wire.ts"
import { latin1, toBytes, utf8 } from "./Wire.ts"

const mebibyte = 1024 * 1024

const problemOf = (response: WireResponse) => {
  expect(response.headers["content-type"]).toBe("application/problem+json")
  const { status, code, limit, title, detail } = jsonOf(response) as Readonly<Record<string, unknown>>
  expect(typeof title).toBe("string")
  expect(typeof detail).toBe("string")
  expect(status).toBe(response.status)
  return limit === undefined ? { status, code } : { status, code, limit }
}

/** Declares the tests. */
export const envelopes = (client: () => Client): void => {
  describe("an envelope", () => {
    const json = { "content-type": "application/json" }
    const post = (body: string | Uint8Array | undefined, headers: Readonly<Record<string, string>> = json) =>
      client().send({ method: "POST", url: "/batch", headers, body })
    const small = JSON.stringify(envelope([{ method: "GET", url: "/text" }]))

    const head = (framing: Readonly<Record<string, string>>) =>
      toBytes({ method: "POST", url: "/batch", headers: { ...json, ...framing } }, client().host)
    const chunked = { "transfer-encoding": "chunked" }
    const tooLarge = { status: 413, code: "PAYLOAD_TOO_LARGE", limit: mebibyte }

    it("larger than the limit is refused by its declared length while the client is still sending", async () => {
      const wire = client().open()
      const parts = Array.from({ length: 32 }, () => new Uint8Array(mebibyte / 4).fill(32))
      await wire.sendBlindly([head({ "content-length": String(8 * mebibyte) }), ...parts])
      expect(problemOf(await wire.receive("POST"))).toEqual(tooLarge)
      wire.destroy()
    })

    it("larger than the limit is refused by its declared length before any byte was sent", async () => {
      const wire = client().open()
      wire.write(head({ "content-length": "99999999999" }))
      expect(problemOf(await wire.receive("POST"))).toEqual(tooLarge)
      wire.destroy()
    })

    it("larger than the limit is refused while its chunks still arrive", async () => {
      const wire = client().open()
      const parts = Array.from({ length: 32 }, () => utf8(`40000\r\n${" ".repeat(0x40000)}\r\n`))
      await wire.sendBlindly([head(chunked), ...parts, utf8("0\r\n\r\n")])
      expect(problemOf(await wire.receive("POST"))).toEqual(tooLarge)
      wire.destroy()
    })

    it("in chunks within the limit is accepted", async () => {
      const wire = client().open()
      wire.write(head(chunked))
      for (const character of small) wire.write(utf8(`1\r\n${character}\r\n`))
      wire.write(utf8("0\r\n\r\n"))
      expect((await wire.receive("POST")).status).toBe(200)
      expect((await wire.send({ method: "GET", url: "/text" })).status).toBe(200)
      wire.destroy()
    })

    it("with more requests than the limit is refused", async () => {
      const requests = Array.from({ length: 1_001 }, () => ({ method: "PATCH", url: "/items/none", body: {} }))
      const response = await client().post("/batch", envelope(requests))
      expect(problemOf(response)).toEqual({ status: 413, code: "TOO_MANY_OPERATIONS", limit: 1_000 })
      expect(jsonOf(response)).toMatchObject({ actual: 1_001 })
    })

    it.each([
      ["text/plain", small],
      ["application/x-www-form-urlencoded", "requests=1"],
      ["multipart/form-data; boundary=x", "--x--"],
      ["application/json; charset=utf-16", small],
      ["json", small],
      ["", small],
    ])("of the content type %j is refused with 415", async (type, body) => {
      expect(problemOf(await post(body, { "content-type": type }))).toEqual({
        status: 415,
        code: "UNSUPPORTED_MEDIA_TYPE",
      })
    })

    it("without a content type, or with a content coding, is refused with 415", async () => {
      expect(problemOf(await post(small, {}))).toEqual({ status: 415, code: "UNSUPPORTED_MEDIA_TYPE" })
      const compressed = await post(small, { ...json, "content-encoding": "gzip" })
      expect(problemOf(compressed)).toEqual({ status: 415, code: "UNSUPPORTED_MEDIA_TYPE" })
    })

    it.each(["application/json; charset=UTF-8", "Application/JSON", "application/vnd.api+json"])(
      "of the content type %j is accepted",
      async (type) => {
        expect((await post(small, { "content-type": type })).status).toBe(200)
      },
    )

    it.each([
      ["empty", undefined],
      ["only spaces", "  "],
      ["incomplete", small.slice(0, -2)],
      ["followed by more text", `${small}x`],
      ["not JSON", "requests=1"],
      ["not UTF-8", Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
    ])("that is %s is refused with 400", async (_, body) => {
      expect(problemOf(await post(body))).toEqual({ status: 400, code: "MALFORMED_JSON" })
    })

    it.each([
      ["null", "null", "INVALID_BATCH"],
      ["an array", "[]", "INVALID_BATCH"],
      ["an object without requests", "{}", "INVALID_BATCH"],
      ["without requests", '{"requests":[]}', "EMPTY_BATCH"],
      ["with a request without an id", '{"requests":[{"method":"GET","url":"/text"}]}', "INVALID_BATCH"],
      ["with a duplicate id", JSON.stringify({ requests: [{ id: "a" }, { id: "a" }] }), "DUPLICATE_ID"],
      [
        "with a dependency on an unknown id",
        JSON.stringify({ requests: [{ id: "a", dependsOn: ["b"] }] }),
        "INVALID_DEPENDENCY",
      ],
      ["nested too deeply", `{"requests":[${"[".repeat(100)}${"]".repeat(100)}]}`, "TOO_DEEP"],
    ])("that is %s is refused with 400", async (_, body, code) => {
      expect(problemOf(await post(body))).toMatchObject({ status: 400, code })
    })

    it("that was refused leaves the connection usable", async () => {
      const wire = client().open()
      const refused = await wire.send({ method: "POST", url: "/batch", headers: json, body: "{" })
      expect(refused.status).toBe(400)
      expect(refused.headers["connection"]).not.toBe("close")
      expect((await wire.send({ method: "POST", url: "/batch", headers: json, body: small })).status).toBe(200)
      wire.destroy()
    })

    it("is answered with JSON", async () => {
      const response = await post(small)
      expect(response.headers["content-type"]).toBe("application/json; charset=utf-8")
      expect(latin1(response.body).startsWith('{"responses":[{"id":"0","status":200,')).toBe(true)
    })

    it("is described by the endpoint: kind, limits, strategies", async () => {
      const response = await client().get("/batch/describe")
      expect(response.status).toBe(200)
      expect(response.headers["content-type"]).toBe("application/json; charset=utf-8")
      expect(jsonOf(response)).toMatchObject({
        kind: "requests",
        list: "requests",
        limits: { operations: 1_000, body_bytes: mebibyte, operation_bytes: mebibyte, depth: 64, deadline_ms: 30_000 },
        strategy: "partial",
        strategies: ["partial"],
        concurrency: 10,
      })
    })
  })
}
