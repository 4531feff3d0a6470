import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { JsonScanner } from "../../src/http/JsonScanner.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

/** Scans a text in chunks; `cuts` are the positions between them. */
const scan = (text: string, maximumItems: number, maximumDepth: number, cuts: ReadonlyArray<number> = []) => {
  const scanner = new JsonScanner(maximumItems, maximumDepth)
  const allBytes = bytes(text)
  const positions = [0, ...cuts.map((cut) => cut % (allBytes.length + 1)).sort((a, b) => a - b), allBytes.length]
  for (let index = 1; index < positions.length; index++) {
    const result = scanner.scan(allBytes.subarray(positions[index - 1], positions[index]))
    if (result !== "within") return { result, count: scanner.count }
  }
  return { result: "within", count: scanner.count }
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
  it("counts the items of the longest list in the envelope, for any division into chunks", () => {
    fc.assert(
      fc.property(envelope, space, cuts, (value, space, cuts) => {
        const text = JSON.stringify(value, undefined, space)
        const { result, count } = scan(text, 1_000_000, 1_000_000, cuts)
        expect({ result, count }).toEqual({ result: "within", count: longestList(JSON.parse(text)) })
      }),
      { numRuns: 500 },
    )
  })

  it("reports too many items exactly if there are more than allowed", () => {
    fc.assert(
      fc.property(envelope, cuts, fc.nat(5), (value, cuts, maximumItems) => {
        const { result } = scan(JSON.stringify(value), maximumItems, 1_000_000, cuts)
        expect(result).toBe(longestList(value) > maximumItems ? "too many" : "within")
      }),
    )
  })

  it("reports too many levels exactly if there are more than allowed", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), cuts, fc.integer({ min: 1, max: 6 }), (value, cuts, maximumDepth) => {
        const { result } = scan(JSON.stringify(value), 1_000_000, maximumDepth, cuts)
        expect(result).toBe(depthOf(value) > maximumDepth ? "too deep" : "within")
      }),
    )
  })

  it("stops counting at the first item beyond the limit", () => {
    expect(scan(`{"users":[${"1,".repeat(5_000)}1]}`, 1_000, 64)).toEqual({ result: "too many", count: 1_001 })
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
  ])("for %s counts %i items", (text, count) => expect(scan(text, 10, 64).count).toBe(count))

  it("accepts any bytes without throwing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        expect(["within", "too many", "too deep"]).toContain(new JsonScanner(3, 3).scan(bytes))
      }),
    )
  })

  it("is not misled by brackets, quotes and escapes inside of strings", () => {
    const hostileStrings = fc
      .array(fc.constantFrom('"', "\\", "[", "]", "{", "}", ",", ":", "ü", "\u0000"))
      .map((all) => all.join(""))
    fc.assert(
      fc.property(
        fc.dictionary(hostileStrings, fc.array(fc.oneof(hostileStrings, fc.array(hostileStrings)))),
        cuts,
        (value, cuts) => {
          expect(scan(JSON.stringify(value), 1_000, 64, cuts).count).toBe(longestList(value))
        },
      ),
    )
  })
})
