import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { canonicalJson } from "../../src/idempotency/CanonicalJson.ts"

describe("canonicalJson", () => {
  it.each([
    ["the order of members", `{"b":{"d":1,"c":[{"y":1,"x":2}]},"a":2}`, `{ "a":2, "b":{"c":[{"x":2,"y":1}],"d":1} }`],
    ["white space", `[ 1 ,\n\t{ "a" : "b c" } ]`, `[1,{"a":"b c"}]`],
    ["how a number is spelt", `[1.0,1e0,100e-2,0.1,1E+2,-0,1e21]`, `[1,1,1,1e-1,100,0,1000000000000000000000]`],
    ["how a character is spelt", `["\\u0041\\/\\u00e9"]`, `["A/é"]`],
    ["a duplicate member before the last", `{"a":1,"a":2}`, `{"a":2}`],
  ])("does not see %s", (_, one, other) => {
    expect(canonicalJson(JSON.parse(one))).toBe(canonicalJson(JSON.parse(other)))
  })

  it.each([
    ["a number and its text", 1, "1"],
    ["null and nothing", { a: null }, {}],
    ["a list and an object", [], {}],
    ["the order of a list", [1, 2], [2, 1]],
    ["the bounds of texts", ["ab", "c"], ["a", "bc"]],
    ["the bounds of lists", [[1], [2]], [[1, 2]]],
    ["a quote and what it ends", [`a","b`], ["a", "b"]],
    ["composed and decomposed characters", "\u00e9", "e\u0301"],
    ["what is beyond all numbers and nothing", JSON.parse("[1e400]"), [null]],
    ["both infinities", JSON.parse("[1e400]"), JSON.parse("[-1e400]")],
    ["an infinity and its name", JSON.parse("[1e400]"), ["Infinity"]],
    ["one lone surrogate and another", "\ud800", "\udbff"],
    ["a member called __proto__ and none", JSON.parse(`{"__proto__":{"a":1}}`), {}],
    ["dates", { at: new Date(0) }, { at: new Date(1) }],
  ])("keeps apart %s", (_, one, other) => {
    expect(canonicalJson(one)).not.toBe(canonicalJson(other))
  })

  it("sorts members by UTF-16 code units, as RFC 8785 has it", () => {
    const members = JSON.parse(
      `{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",` +
        `"\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control","\\u00f6":"Latin Small Letter O With Diaeresis"}`,
    )
    const order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"]
    const text = canonicalJson(members)
    expect([...order].sort((one, other) => text.indexOf(one) - text.indexOf(other))).toEqual(order)
  })

  it("takes what other parsers make: big integers, dates, undefined members, functions", () => {
    expect(canonicalJson({ b: 10n ** 20n, a: new Date(0), c: undefined, d: () => 1, e: [undefined] })).toBe(
      `{"a":"1970-01-01T00:00:00.000Z","b":100000000000000000000,"e":[null]}`,
    )
    expect(canonicalJson(undefined)).toBe("null")
  })

  it("writes what parses to the same value, whatever the value and the order of its members", () => {
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
