import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { fromHeader, fromRequest, fromValue } from "../../src/http/IdempotencyKey.ts"

const allVisible = Array.from({ length: 0x7e - 0x20 }, (_, index) => String.fromCharCode(0x21 + index)).join("")

describe("a key in a body", () => {
  it.each([
    ["a"],
    ["x".repeat(255)],
    [allVisible],
    ["__proto__"],
    ["{tag}*?[a-z]"],
    ["';drop/**/table/**/keys--"],
    [`"quoted"`],
  ])("is accepted as %s", (key) => expect(fromValue(key)).toEqual(Result.succeed(key)))

  it.each([
    ["an empty string", ""],
    ["a space", " "],
    ["256 characters", "x".repeat(256)],
    ["a megabyte", "x".repeat(2 ** 20)],
    ["a text with a space", "a b"],
    ["a text with a tab", "a\tb"],
    ["a text with CR and LF", "a\r\nb"],
    ["a text with a final line feed", "a\n"],
    ["a text with NUL", "a\0"],
    ["a text with DEL", "a\u007f"],
    ["an emoji", "😀"],
    ["a lone surrogate", "\ud800"],
    ["an accent", "é"],
    ["a number", 1],
    ["zero", 0],
    ["a boolean", true],
    ["null", null],
    ["an array", ["a"]],
    ["an object", { toString: () => "a" }],
  ])("is rejected as %s", (_, key) => expect(Result.isFailure(fromValue(key))).toBe(true))

  it("does not appear in the error message", () => {
    const failed = fromValue("secret key") as Result.Failure<string, string>
    expect(failed.failure).not.toContain("secret")
  })
})

describe("a key in a header", () => {
  it.each([
    ["a bare key", "abc", "abc"],
    ["a quoted key", `"abc"`, "abc"],
    ["a key with white space around it", ` "abc"\t`, "abc"],
    ["a quoted key with a comma", `"a,b"`, "a,b"],
    ["a quoted key with escapes", `"a\\"b\\\\c"`, `a"b\\c`],
    ["a bare key with a quote inside", `a"b`, `a"b`],
    ["a list of one line", ["abc"], "abc"],
  ])("is accepted as %s", (_, header, key) => expect(fromHeader(header)).toEqual(Result.succeed(key)))

  it.each([
    ["an empty header", ""],
    ["an empty string", `""`],
    ["spaces", "   "],
    ["a quoted space", `" "`],
    ["two bare keys that Node has joined", "abc, def"],
    ["the same bare key twice", "abc,abc"],
    ["two quoted strings", `"abc", "def"`],
    ["a string without its closing quote", `"abc`],
    ["text after the string", `"abc"def`],
    ["an invalid escape", `"a\\b"`],
    ["two lines", ["abc", "def"]],
    ["an empty list of lines", []],
    ["256 characters in quotes", `"${"x".repeat(256)}"`],
    ["bytes beyond ASCII", "Ã©"],
  ])("is rejected as %s", (_, header) => expect(Result.isFailure(fromHeader(header))).toBe(true))

  it("may be longer than 255 characters on the wire because of escapes", () => {
    expect(fromHeader(`"${`\\"`.repeat(255)}"`)).toEqual(Result.succeed(`"`.repeat(255)))
  })
})

describe("the key of a request", () => {
  it("is read from its Idempotency-Key header", () => {
    expect(fromRequest({ headers: { "idempotency-key": `"abc"` } })).toEqual(Result.succeed("abc"))
    expect(fromRequest({ headers: {} })).toEqual(Result.succeed(undefined))
  })

  it("refuses the batch if it is invalid", () => {
    const error = Result.getOrThrow(Result.flip(fromRequest({ headers: { "idempotency-key": "a b" } })))
    expect(error).toMatchObject({ status: 400, reason: { code: "INVALID_IDEMPOTENCY_KEY" } })
    expect(error.message).toBe(
      "Invalid header Idempotency-Key: an idempotency key must have 1 to 255 visible ASCII characters",
    )
  })
})
