import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { JsonText } from "../../../src/batch/JsonText.ts"
import * as Reference from "../../../src/formats/requests/Reference.ts"

const known = (...ids: ReadonlyArray<string>) => Reference.knownIds(new Set(ids))

const reference = (id: string, ...path: ReadonlyArray<string>): Reference.Reference => ({ id, path })

describe("parse", () => {
  it.each<[string, Reference.Template]>([
    ["@{req-1.body.id}", [reference("req-1", "body", "id")]],
    ["@{req-1.status}", [reference("req-1", "status")]],
    ["@{req-1}", [reference("req-1")]],
    ["/users/@{req-1.body.id}/posts", ["/users/", reference("req-1", "body", "id"), "/posts"]],
    ["@{req-1.a}@{req-1.b}", [reference("req-1", "a"), reference("req-1", "b")]],
    ["@{req-1.}", [reference("req-1", "")]],
    ["@{req-1.a..b}", [reference("req-1", "a", "", "b")]],
    ["@{req-1.a@{b}", [reference("req-1", "a@{b")]],
  ])("finds the references in %j", (text, expected) => {
    expect(Reference.parse(text, known("req-1"))).toEqual(expected)
  })

  it.each(["", "plain", "a@b.c", "@", "{req-1}", "@ {req-1}"])("returns undefined for %j", (text) => {
    expect(Reference.parse(text, known("req-1"))).toBeUndefined()
  })

  it.each([
    "@{req-2.body}",
    "@{req-1",
    "@{req-1x.body}",
    "@{REQ-1.body}",
    "@{ req-1.body}",
    "@{}",
    "@{.body}",
    "@{req-1.body.id",
    `@{req-1.${"x".repeat(1_025)}}`,
  ])("reads %j as plain text", (text) => {
    expect(Reference.parse(text, known("req-1"))).toEqual([text])
  })

  it("accepts a path of 1,024 characters", () => {
    const path = "x".repeat(1_023)
    expect(Reference.parse(`@{req-1.${path}}`, known("req-1"))).toEqual([reference("req-1", path)])
  })

  it.each([
    ["@@{req-1.body}", "@{req-1.body}"],
    ["a@@{b", "a@{b"],
    ["@@@{x", "@@{x"],
    ["@@{@@{", "@{@{"],
    ["@@{req-1}@@{req-1}", "@{req-1}@{req-1}"],
  ])("reads the escape in %j as %j", (text, plain) => {
    expect(Reference.parse(text, known("req-1"))).toEqual([plain])
  })

  it("finds references next to escapes", () => {
    const expected = ["@{", reference("a", "b"), "@{a.b}"]
    expect(Reference.parse("@@{@{a.b}@@{a.b}", known("a"))).toEqual(expected)
  })

  it("prefers the longest id that fits", () => {
    const ids = known("a", "a.b", "a.b.c")
    expect(Reference.parse("@{a.b.c.d}", ids)).toEqual([reference("a.b.c", "d")])
    expect(Reference.parse("@{a.b.d}", ids)).toEqual([reference("a.b", "d")])
    expect(Reference.parse("@{a.bc}", ids)).toEqual([reference("a", "bc")])
  })

  it.each(["a}b", "}", "{", "@{", "a.b}", ".", "a b", "__proto__", "ünï", "\ud83d\ude00", "$&"])(
    "accepts the id %j",
    (id) => expect(Reference.parse(`x@{${id}.body}y`, known(id))).toEqual(["x", reference(id, "body"), "y"]),
  )

  it("restores any text whose references are escaped", () => {
    const texts = fc.array(fc.constantFrom("@", "{", "}", ".", "a", "b", "@{a.b}")).map((parts) => parts.join(""))
    fc.assert(
      fc.property(texts, (text) => {
        fc.pre(!text.includes("@@{"))
        const escaped = text.replaceAll("@{", "@@{")
        expect(Reference.parse(escaped, known("a", "b")) ?? [escaped]).toEqual([text])
      }),
    )
  })

  it("finds the references that were written into a text", () => {
    const ids = fc.uniqueArray(fc.string({ minLength: 1, unit: "binary" }), { minLength: 1, maxLength: 5 })
    const path = fc.array(fc.stringMatching(/^[^.}]*$/), { minLength: 1, maxLength: 3 })
    const part = fc.oneof(fc.stringMatching(/^[^@]+$/), fc.tuple(fc.nat(), path))
    fc.assert(
      fc.property(ids, fc.array(part, { minLength: 1, maxLength: 5 }), (ids, parts) => {
        const all = known(...ids)
        const text = parts
          .map((part) => {
            if (typeof part === "string") return part
            return Reference.toText(reference(ids[part[0] % ids.length]!, ...part[1]))
          })
          .join("")
        const template = Reference.parse(text, all) ?? [text]
        const written = template.map((part) => (typeof part === "string" ? part : Reference.toText(part))).join("")
        expect(written).toBe(text)
        expect(template.every((part) => typeof part === "string" || all.ids.has(part.id))).toBe(true)
      }),
    )
  })
})

describe("effort", () => {
  it("is the number of marks times the number of id lengths", () => {
    expect(Reference.effort("no marks", known("a"))).toBe(0)
    expect(Reference.effort("@{@{@{", known("a", "bb", "cc"))).toBe(6)
  })
})

describe("follow", () => {
  const root = { status: 201, headers: { location: "/u/1" }, body: { id: "u_1", list: [{ a: null }], "": 0 } }
  const follow = (value: unknown, path: ReadonlyArray<string>) =>
    Reference.follow(new JsonText(JSON.stringify(value)), path)

  it.each<[ReadonlyArray<string>, unknown]>([
    [["status"], 201],
    [["headers", "location"], "/u/1"],
    [["body", "id"], "u_1"],
    [["body", "list", "0", "a"], null],
    [["body", ""], 0],
    [[], root],
  ])("reads %j", (path, expected) => expect(JSON.parse(Result.getOrThrow(follow(root, path)).raw)).toEqual(expected))

  it.each<[ReadonlyArray<string>, string]>([
    [["body", "name"], "name"],
    [["body", "id", "0"], "0"],
    [["body", "id", "length"], "length"],
    [["body", "list", "length"], "length"],
    [["body", "list", "1"], "1"],
    [["body", "list", "-1"], "-1"],
    [["body", "list", "00"], "00"],
    [["body", "list", "0 "], "0 "],
    [["body", "list", "1e0"], "1e0"],
    [["body", "list", "0", "a", "b"], "b"],
    [["body", "list", "map"], "map"],
    [["__proto__"], "__proto__"],
    [["constructor"], "constructor"],
    [["body", "toString"], "toString"],
    [["body", "hasOwnProperty"], "hasOwnProperty"],
    [["", "x"], ""],
  ])("fails at %j", (path, missing) => {
    expect(Result.getOrThrow(Result.flip(follow(root, path)))).toBe(missing)
  })

  it("reads a member named __proto__ if the reply has one", () => {
    const reply = JSON.parse(`{"__proto__":{"id":7}}`)
    expect(Result.getOrThrow(follow(reply, ["__proto__", "id"])).raw).toBe("7")
  })

  it("never reads anything but own properties", () => {
    const steps = fc.constantFrom("__proto__", "constructor", "prototype", "a", "0", "length", "valueOf")
    fc.assert(
      fc.property(fc.jsonValue(), fc.array(steps, { minLength: 1 }), (root, path) => {
        const value = follow({ a: root }, path)
        let expected: unknown = { a: root }
        for (const name of path) {
          const isOwn = typeof expected === "object" && expected !== null && Object.hasOwn(expected, name)
          const isLength = Array.isArray(expected) && name === "length"
          expected = isOwn && !isLength ? (expected as Record<string, unknown>)[name] : undefined
        }
        if (expected === undefined) expect(Result.isFailure(value)).toBe(true)
        else expect(JSON.parse(Result.getOrThrow(value).raw)).toEqual(JSON.parse(JSON.stringify(expected)))
      }),
    )
  })
})
