import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { parseInSlices } from "../../src/http/parseInSlices.ts"

const space = fc.constantFrom(undefined, 1, "\t", "\n \r")
const envelope = fc.dictionary(fc.oneof(fc.constantFrom("list", "other"), fc.string()), fc.jsonValue())

const parse = async (text: string, operationBytes = 1_000_000) =>
  (await parseInSlices(text, "list", operationBytes)).value

describe("parseInSlices", () => {
  it("returns what JSON.parse returns", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(envelope, fc.jsonValue()), space, async (value, space) => {
        const text = JSON.stringify(value, undefined, space)
        expect(await parse(text)).toEqual(JSON.parse(text))
      }),
      { numRuns: 500 },
    )
  })

  it("accepts and rejects the same texts as JSON.parse", async () => {
    const pieces = fc.constantFrom('{"list":[', "1", '"a"', ",", "[", "]", "{", "}", '"b":', " ", "\u0001", "\\", '"')
    await fc.assert(
      fc.asyncProperty(fc.array(pieces, { maxLength: 12 }), async (pieces) => {
        const text = `{"list":[${pieces.join("")}]}`
        let expected: unknown
        try {
          expected = JSON.parse(text)
        } catch (error) {
          await expect(parse(text)).rejects.toThrow((error as Error).message)
          return
        }
        expect(await parse(text)).toEqual(expected)
      }),
      { numRuns: 2_000 },
    )
  })

  it.each([
    `{"list":[1,]}`,
    `{"list":[,1]}`,
    `{"list":[1 2]}`,
    `{"list":[1;2]}`,
    `{"list":[1]`,
    `{"list":[1}]`,
    `{"list" [1]}`,
  ])("rejects %s", (text) => expect(parse(text)).rejects.toThrow(SyntaxError))

  it("takes the last of several lists, and keeps a member named __proto__", async () => {
    const text = `{"list":[1],"__proto__":{"a":1},"list":[2]}`
    const value = (await parse(text)) as object
    expect(Object.entries(value)).toEqual(Object.entries(JSON.parse(text) as object))
  })

  it("keeps only short members of an operation that is too large, and its size", async () => {
    const large = `{"id":"a","body":{"text":"${"x".repeat(10_000)}"},"method":"PUT"}`
    const { value, oversized } = await parseInSlices(`{"list":[${large},{"id":"b"}]}`, "list", 1_000)
    const { list } = value as { readonly list: ReadonlyArray<unknown> }
    expect(list).toEqual([{ id: "a", method: "PUT" }, { id: "b" }])
    expect(oversized!.get(list[0])).toBe(large.length)
    expect(oversized!.size).toBe(1)
  })
})
