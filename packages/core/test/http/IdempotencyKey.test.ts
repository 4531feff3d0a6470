import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { fromHeader, fromValue } from "../../src/http/IdempotencyKey.ts"

const visible = Array.from({ length: 0x7e - 0x20 }, (_, index) => String.fromCharCode(0x21 + index)).join("")

describe("a key in a body", () => {
  it.each([
    ["a"],
    ["x".repeat(255)],
    [visible],
    ["__proto__"],
    ["{tag}*?[a-z]"],
    ["';drop/**/table/**/keys--"],
    [`"quoted"`],
  ])("may be %s", (key) => expect(fromValue(key)).toEqual(Result.succeed(key)))

  it.each([
    ["empty", ""],
    ["a space", " "],
    ["too long", "x".repeat(256)],
    ["a megabyte", "x".repeat(2 ** 20)],
    ["with a space inside", "a b"],
    ["with a tab", "a\tb"],
    ["with CR and LF", "a\r\nb"],
    ["with a line feed at its end", "a\n"],
    ["with NUL", "a\0"],
    ["with DEL", "a\u007f"],
    ["an emoji", "😀"],
    ["a lone surrogate", "\ud800"],
    ["an accent", "é"],
    ["a number", 1],
    ["zero", 0],
    ["a boolean", true],
    ["null", null],
    ["an array", ["a"]],
    ["an object", { toString: () => "a" }],
  ])("may not be %s", (_, key) => expect(Result.isFailure(fromValue(key))).toBe(true))

  it("is not repeated in what is said of it", () => {
    const failed = fromValue("secret key") as Result.Failure<string, string>
    expect(failed.failure).not.toContain("secret")
  })
})

describe("a key in a header", () => {
  it.each([
    ["bare", "abc", "abc"],
    ["quoted", `"abc"`, "abc"],
    ["with white space around it", ` "abc"\t`, "abc"],
    ["quoted, with a comma", `"a,b"`, "a,b"],
    ["quoted, with escapes", `"a\\"b\\\\c"`, `a"b\\c`],
    ["bare, with a quote inside", `a"b`, `a"b`],
    ["one line of one", ["abc"], "abc"],
  ])("may be %s", (_, header, key) => expect(fromHeader(header)).toEqual(Result.succeed(key)))

  it.each([
    ["empty", ""],
    ["an empty string", `""`],
    ["spaces", "   "],
    ["a string of a space", `" "`],
    ["two, as Node joins them", "abc, def"],
    ["the same twice", "abc,abc"],
    ["two strings", `"abc", "def"`],
    ["a string that does not end", `"abc`],
    ["something after the string", `"abc"def`],
    ["a wrong escape", `"a\\b"`],
    ["two lines", ["abc", "def"]],
    ["no line", []],
    ["too long in quotes", `"${"x".repeat(256)}"`],
    ["bytes beyond ASCII", "Ã©"],
  ])("may not be %s", (_, header) => expect(Result.isFailure(fromHeader(header))).toBe(true))

  it("of 255 characters may be longer on the wire", () => {
    expect(fromHeader(`"${`\\"`.repeat(255)}"`)).toEqual(Result.succeed(`"`.repeat(255)))
  })
})
