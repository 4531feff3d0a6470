import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Base64 from "../../src/platform/Base64.ts"

describe("base64", () => {
  it("equals Node's own and decodes to the same bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Base64.encode(bytes)
        expect(text).toBe(Buffer.from(bytes).toString("base64"))
        expect(Base64.decode(text)).toEqual(new Uint8Array(bytes))
      }),
    )
  })

  it("encodes more bytes than one function call takes arguments", () => {
    const bytes = new Uint8Array(300_000).map((_, index) => index % 251)
    expect(Base64.encode(bytes)).toBe(Buffer.from(bytes).toString("base64"))
  })

  it("rejects text that is not base64", () => {
    expect(() => Base64.decode("a")).toThrow()
  })
})
