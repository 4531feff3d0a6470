import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { JsonScanner } from "../../src/http/JsonScanner.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

/** Scans a text cut into chunks at the places given. */
const scan = (text: string, maximum: number, deepest: number, cuts: ReadonlyArray<number> = []) => {
  const scanner = new JsonScanner(maximum, deepest)
  const whole = bytes(text)
  const places = [0, ...cuts.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length]
  for (let at = 1; at < places.length; at++) {
    const finding = scanner.scan(whole.subarray(places[at - 1], places[at]))
    if (finding !== "within") return { finding, count: scanner.count }
  }
  return { finding: "within", count: scanner.count }
}

const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0

const longestList = (value: unknown): number =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Math.max(0, ...Object.values(value).map((member) => (Array.isArray(member) ? member.length : 0)))
    : 0

const space = fc.constantFrom(undefined, 1, "\t", "\n \r")
const cuts = fc.array(fc.nat(), { maxLength: 20 })
const envelope = fc.dictionary(fc.string(), fc.oneof(fc.array(fc.jsonValue()), fc.jsonValue()))

describe("JsonScanner", () => {
  it("counts the items of the longest list in the envelope, as JSON.parse does, however the text is cut", () => {
    fc.assert(
      fc.property(envelope, space, cuts, (value, space, cuts) => {
        const text = JSON.stringify(value, undefined, space)
        const { finding, count } = scan(text, 1_000_000, 1_000_000, cuts)
        expect({ finding, count }).toEqual({ finding: "within", count: longestList(JSON.parse(text)) })
      }),
      { numRuns: 500 },
    )
  })

  it("finds too many items exactly where there are more than allowed", () => {
    fc.assert(
      fc.property(envelope, cuts, fc.nat(5), (value, cuts, maximum) => {
        const { finding } = scan(JSON.stringify(value), maximum, 1_000_000, cuts)
        expect(finding).toBe(longestList(value) > maximum ? "too many" : "within")
      }),
    )
  })

  it("finds too many levels exactly where there are more than allowed", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), cuts, fc.integer({ min: 1, max: 6 }), (value, cuts, deepest) => {
        const { finding } = scan(JSON.stringify(value), 1_000_000, deepest, cuts)
        expect(finding).toBe(depthOf(value) > deepest ? "too deep" : "within")
      }),
    )
  })

  it("stops counting at the first item too many", () => {
    expect(scan(`{"users":[${"1,".repeat(5_000)}1]}`, 1_000, 64)).toEqual({ finding: "too many", count: 1_001 })
  })

  it.each([
    [`{"a":[]}`, 0],
    [`{"a":[ ]}`, 0],
    [`{"a":[1]}`, 1],
    [`{"a":[[]]}`, 1],
    [`{"a":[{},{}]}`, 2],
    [`{"a":["]","[",","]}`, 3],
    [`{"a":["\\"]","\\\\"]}`, 2],
    [`{"a":[[1,2,3],{"b":[1,2,3,4]}]}`, 2],
    [`{"a":{"b":[1,2,3]}}`, 0],
    [`{"a":[1,2],"b":[1],"c":{"d":1}}`, 2],
    [`[1,2,3]`, 0],
    [`[[1,2],[3]]`, 2],
    [`"[1,2]"`, 0],
  ])("counts in %s %i items", (text, count) => expect(scan(text, 10, 64).count).toBe(count))

  it("withstands any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        expect(["within", "too many", "too deep"]).toContain(new JsonScanner(3, 3).scan(bytes))
      }),
    )
  })

  it("never takes a text that is JSON for better than it is, whatever stands in its strings", () => {
    const nasty = fc
      .array(fc.constantFrom('"', "\\", "[", "]", "{", "}", ",", ":", "ü", "\u0000"))
      .map((all) => all.join(""))
    fc.assert(
      fc.property(fc.dictionary(nasty, fc.array(fc.oneof(nasty, fc.array(nasty)))), cuts, (value, cuts) => {
        expect(scan(JSON.stringify(value), 1_000, 64, cuts).count).toBe(longestList(value))
      }),
    )
  })
})
