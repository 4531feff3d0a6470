import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { canonicalJson } from "../../src/idempotency/CanonicalJson.ts"

describe("canonicalJson", () => {
  it.each([
    ["the order of members", `{"b":{"d":1,"c":[{"y":1,"x":2}]},"a":2}`, `{ "a":2, "b":{"c":[{"x":2,"y":1}],"d":1} }`],
    ["white space", `[ 1 ,\n\t{ "a" : "b c" } ]`, `[1,{"a":"b c"}]`],
    ["the notation of numbers", `[1.0,1e0,100e-2,0.1,1E+2,-0,1e21]`, `[1,1,1,1e-1,100,0,1000000000000000000000]`],
    ["the notation of characters", `["\\u0041\\/\\u00e9"]`, `["A/é"]`],
    ["all but the last of duplicate members", `{"a":1,"a":2}`, `{"a":2}`],
  ])("ignores %s", (_, one, other) => {
    expect(canonicalJson(JSON.parse(one))).toBe(canonicalJson(JSON.parse(other)))
  })

  it.each([
    ["a number and its text", 1, "1"],
    ["null and a missing member", { a: null }, {}],
    ["a list and an object", [], {}],
    ["the order of a list", [1, 2], [2, 1]],
    ["the boundaries of texts", ["ab", "c"], ["a", "bc"]],
    ["the boundaries of lists", [[1], [2]], [[1, 2]]],
    ["a quote in a text and the end of a text", [`a","b`], ["a", "b"]],
    ["composed and decomposed characters", "\u00e9", "e\u0301"],
    ["infinity and null", JSON.parse("[1e400]"), [null]],
    ["the two infinities", JSON.parse("[1e400]"), JSON.parse("[-1e400]")],
    ["an infinity and its name", JSON.parse("[1e400]"), ["Infinity"]],
    ["two lone surrogates", "\ud800", "\udbff"],
    ["a member called __proto__ and an empty object", JSON.parse(`{"__proto__":{"a":1}}`), {}],
    ["dates", { at: new Date(0) }, { at: new Date(1) }],
  ])("distinguishes %s", (_, one, other) => {
    expect(canonicalJson(one)).not.toBe(canonicalJson(other))
  })

  it("sorts members by UTF-16 code units, as in the example of RFC 8785", () => {
    const members = JSON.parse(
      `{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",` +
        `"\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control","\\u00f6":"Latin Small Letter O With Diaeresis"}`,
    )
    const order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"]
    const text = canonicalJson(members)
    expect([...order].sort((one, other) => text.indexOf(one) - text.indexOf(other))).toEqual(order)
  })

  it("accepts values that JSON does not have: big integers, dates, undefined members, functions", () => {
    expect(canonicalJson({ b: 10n ** 20n, a: new Date(0), c: undefined, d: () => 1, e: [undefined] })).toBe(
      `{"a":"1970-01-01T00:00:00.000Z","b":100000000000000000000,"e":[null]}`,
    )
    expect(canonicalJson(undefined)).toBe("null")
  })

  it("writes text that parses to the same value, and does not depend on the order of members", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(canonicalJson(shuffled(value))).toBe(text)
      }),
    )
  })

  it("writes different texts for different values", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const same = canonicalJson(one) === canonicalJson(other)
        expect(same).toBe(same && JSON.stringify(sorted(one)) === JSON.stringify(sorted(other)))
      }),
    )
  })
})

const entriesOf = (value: object, order: (entries: Array<[string, unknown]>) => Array<[string, unknown]>): object =>
  order(Object.entries(value)).reduce<object>(
    (members, [name, member]) =>
      Object.defineProperty(members, name, { value: member, enumerable: true, configurable: true, writable: true }),
    {},
  )

const walk = (value: unknown, order: (entries: Array<[string, unknown]>) => Array<[string, unknown]>): unknown => {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map((element) => walk(element, order))
  return entriesOf(value, (entries) =>
    order(entries.map(([name, member]) => [name, walk(member, order)] as [string, unknown])),
  )
}

const shuffled = (value: unknown) => walk(value, (entries) => entries.reverse())
const sorted = (value: unknown) => walk(value, (entries) => entries.sort(([a], [b]) => (a < b ? -1 : 1)))
