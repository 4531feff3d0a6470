import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { JsonText, mayChangeNumbers, replaceStrings } from "../../src/batch/JsonText.ts"

const space = fc.constantFrom(undefined, 1, "\t", "\n \r")

describe("JsonText", () => {
  it("finds every member and element as JSON.parse does, for any white space", () => {
    const check = (text: JsonText, value: unknown): void => {
      expect(JSON.parse(text.raw)).toEqual(value)
      if (typeof value !== "object" || value === null) return
      for (const [name, member] of Object.entries(value)) check(text.member(name)!, member)
      expect(text.member("no such member")).toBeUndefined()
    }
    fc.assert(
      fc.property(fc.jsonValue(), space, (value, space) => {
        const text = JSON.stringify(value, undefined, space)
        check(new JsonText(text), JSON.parse(text))
      }),
    )
  })

  it("keeps a value as it was written", () => {
    const text = new JsonText(` { "a" : 9007199254740993 , "b":[1.0,-0 ,1e400], "a":{"c": "\\u0041\\"" } } `)
    expect(text.member("a")!.raw).toBe(`{"c": "\\u0041\\"" }`)
    expect(["0", "1", "2"].map((index) => text.member("b")!.member(index)!.raw)).toEqual(["1.0", "-0", "1e400"])
  })

  it.each(["-1", "00", "0 ", "1e0", "length", "", "__proto__"])("has no element %j in an array", (name) => {
    expect(new JsonText("[1,2]").member(name)).toBeUndefined()
  })
})

describe("mayChangeNumbers", () => {
  it.each(["9007199254740993", "1.0", "-0", "1E400", "[1,2.5]", "0.1"])("is true for %s", (text) =>
    expect(mayChangeNumbers(text)).toBe(true),
  )

  it("is true wherever printing changes a number", () => {
    const number = fc.stringMatching(/^-?(0|[1-9]\d{0,20})(\.\d{1,20})?([eE][+-]?\d{1,3})?$/)
    fc.assert(
      fc.property(number, (text) => {
        if (JSON.stringify(JSON.parse(text)) !== text) expect(mayChangeNumbers(text)).toBe(true)
      }),
    )
  })
})

describe("replaceStrings", () => {
  it("replaces values that contain a mark, not names and not other strings", () => {
    const text = `{"@{a}":["@{a}" , "x", "\\u0040{b}", {"k":"y @{c} \\" z"}, 1.0],"e":"\\\\"}`
    const seen: Array<string> = []
    const replaced = replaceStrings(text, (content) => {
      seen.push(content)
      return content === "@{a}" ? "9007199254740993" : undefined
    })
    expect(seen).toEqual(["@{a}", "@{b}", `y @{c} " z`])
    expect(replaced).toBe(text.replace(`["@{a}"`, "[9007199254740993"))
  })

  it("changes nothing if nothing is replaced", () => {
    fc.assert(
      fc.property(fc.jsonValue(), space, (value, space) => {
        const text = JSON.stringify(value, undefined, space)
        expect(replaceStrings(text, () => undefined)).toBe(text)
      }),
    )
  })
})
