import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { JsonScanner } from "../../src/http/JsonScanner.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

/** Scans a text in chunks; `cuts` are the positions between them. */
const scan = (text: string, maximumItems: number, maximumDepth: number, cuts: ReadonlyArray<number> = []) => {
  const scanner = new JsonScanner("list", maximumItems, maximumDepth)
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

const listLength = (value: object): number => {
  const { list } = value as { readonly list?: unknown }
  return Array.isArray(list) ? list.length : 0
}

const space = fc.constantFrom(undefined, 1, "\t", "\n \r")
const cuts = fc.array(fc.nat(), { maxLength: 20 })
const name = fc.oneof(fc.constantFrom("list", "lis", "list2", 'li"st', "LIST"), fc.string())
const envelope = fc.dictionary(name, fc.oneof(fc.array(fc.jsonValue()), fc.jsonValue()))

describe("JsonScanner", () => {
  it("counts the items of the list alone, for any division into chunks", () => {
    fc.assert(
      fc.property(envelope, space, cuts, (value, space, cuts) => {
        const text = JSON.stringify(value, undefined, space)
        const { result, count } = scan(text, 1_000_000, 1_000_000, cuts)
        expect({ result, count }).toEqual({ result: "within", count: listLength(JSON.parse(text)) })
      }),
      { numRuns: 500 },
    )
  })

  it("reports too many items exactly if there are more than allowed", () => {
    fc.assert(
      fc.property(envelope, cuts, fc.nat(5), (value, cuts, maximumItems) => {
        const { result } = scan(JSON.stringify(value), maximumItems, 1_000_000, cuts)
        expect(result).toBe(listLength(value) > maximumItems ? "too many" : "within")
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
    expect(scan(`{"list":[${"1,".repeat(5_000)}1]}`, 1_000, 64)).toEqual({ result: "too many", count: 1_001 })
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
    [`{"b":[1,2,3],"a":[1]}`, 1],
    [`{"a":[1],"b":["a",[1],[2]]}`, 1],
    [`{"b":"a","c":[1,2]}`, 0],
    [`{"\\u0061":[1,2]}`, 2],
    [`{"\\q":[1,2]}`, 0],
    [`{"x":{"a":[1,2]}}`, 0],
    [`[1,2,3]`, 0],
    [`[[1,2],[3]]`, 0],
    [`"[1,2]"`, 0],
  ])("for %s counts %i items", (text, count) =>
    expect(scan(text.replaceAll(`"a":`, `"list":`).replaceAll(`u0061"`, `u006cist"`), 10, 64).count).toBe(count),
  )

  it("accepts any bytes without throwing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        expect(["within", "too many", "too deep", "too many members"]).toContain(
          new JsonScanner("list", 3, 3).scan(bytes),
        )
      }),
    )
  })

  it("is not misled by brackets, quotes and escapes inside of strings", () => {
    const hostileStrings = fc
      .array(fc.constantFrom('"', "\\", "[", "]", "{", "}", ",", ":", "ü", "\u0000"))
      .map((all) => all.join(""))
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.oneof(hostileStrings, fc.constant("list")),
          fc.array(fc.oneof(hostileStrings, fc.array(hostileStrings))),
        ),
        cuts,
        (value, cuts) => {
          expect(scan(JSON.stringify(value), 1_000, 64, cuts).count).toBe(listLength(value))
        },
      ),
    )
  })
})
