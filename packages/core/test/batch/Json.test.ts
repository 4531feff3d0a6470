import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Json from "../../src/batch/Json.ts"

const nest = (depth: number, wrap: (inner: unknown) => unknown): unknown =>
  Array.from({ length: depth }).reduce<unknown>(wrap, 0)

const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0

describe("inspect", () => {
  it("finds scalars sound at any allowed depth", () => {
    for (const value of [null, true, 0, "x", undefined]) expect(Json.inspect(value, 0)).toBe("sound")
  })

  it("counts each array and each object as one level", () => {
    for (const wrap of [
      (inner: unknown) => [inner],
      (inner: unknown) => ({ a: inner }),
      (inner: unknown) => [0, inner],
    ]) {
      expect(Json.inspect(nest(64, wrap), 64)).toBe("sound")
      expect(Json.inspect(nest(65, wrap), 64)).toBe("deep")
    }
  })

  it("measures the depth of any JSON value exactly", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const depth = depthOf(value)
        expect(Json.inspect(value, depth)).not.toBe("deep")
        expect(Json.inspect(value, depth - 1)).toBe(depth === 0 ? "sound" : "deep")
      }),
    )
  })

  it("stops at the allowed depth of a circular value", () => {
    const circular: Record<string, unknown> = {}
    circular["a"] = [circular]
    expect(Json.inspect(circular, 64)).toBe("deep")
  })

  it.each([
    `{"__proto__":1}`,
    `{"__proto__":{"admin":true}}`,
    `{"a":[{"b":{"__proto__":null}}]}`,
    `{"constructor":{"prototype":{}}}`,
    `[0,{"constructor":{"prototype":null,"a":1}}]`,
    `{"\\u005f\\u005fproto__":1}`,
    `{"__proto__":1,"deep":[[[[[[]]]]]],"after":1}`,
  ])("finds %s poisoned", (text) => expect(Json.inspect(JSON.parse(text), 64)).toBe("poisoned"))

  it.each([
    `{"constructor":"Ada Lovelace"}`,
    `{"constructor":null}`,
    `{"constructor":{"name":"x"}}`,
    `{"prototype":{}}`,
    `{"proto":1,"_proto_":2,"a":"__proto__"}`,
    `["__proto__"]`,
  ])("finds %s sound", (text) => expect(Json.inspect(JSON.parse(text), 64)).toBe("sound"))

  it("reports a value that is both deep and poisoned as deep", () => {
    const text = `{"__proto__":1,"a":${"[".repeat(64)}${"]".repeat(64)}}`
    expect(Json.inspect(JSON.parse(text), 64)).toBe("deep")
  })
})

describe("utf8Length", () => {
  it("returns the number of bytes in UTF-8", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(Json.utf8Length(text)).toBe(Buffer.byteLength(text))
      }),
    )
    expect(Json.utf8Length("a\ud800b")).toBe(5)
  })
})

describe("byteLength", () => {
  it("returns the number of bytes of the value as JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(Json.byteLength(value)).toBe(Buffer.byteLength(JSON.stringify(value)))
      }),
    )
  })

  it("returns 0 for undefined, which has no JSON", () => {
    expect(Json.byteLength(undefined)).toBe(0)
  })

  it("measures bigints, which a host's own parser may produce", () => {
    expect(Json.byteLength({ balance: 12345678901234567890n, name: "ü" })).toBeGreaterThan(20)
  })
})
