import { describe, expect, it } from "vitest"
import { checkOptions } from "../../src/options/checkOptions.ts"
import { duration, type DurationInput } from "../../src/options/DurationInput.ts"
import type { OptionGroup } from "../../src/options/Option.ts"
import {
  anyFunction,
  either,
  flag,
  group,
  listOf,
  listOfGroups,
  numberAbove,
  objectWith,
  oneOf,
  text,
  wholeNumber,
} from "../../src/options/OptionTypes.ts"

interface RuleOptions {
  readonly name: string
  readonly share?: number | undefined
}

interface TestOptions {
  readonly depth?: number | undefined
  readonly workers?: number | undefined
  readonly deadline?: DurationInput | undefined
  readonly mode?: "reject" | "admit" | undefined
  readonly data?: boolean | undefined
  readonly size?: number | "unbounded" | undefined
  readonly onError?: (() => void) | undefined
  readonly store?: { readonly find: () => void; readonly save: () => void } | undefined
  readonly headers?: ReadonlyArray<string> | undefined
  readonly rule?: RuleOptions | undefined
  readonly rules?: ReadonlyArray<RuleOptions> | undefined
}

const page = "limits.md"

const rule = {
  name: { type: text(), required: true, page },
  share: { type: numberAbove(0, 1), page },
} satisfies OptionGroup<RuleOptions>

const definitions = {
  depth: { type: wholeNumber({ minimum: 3 }), page },
  workers: { type: wholeNumber({ minimum: 0, maximum: 1000 }), page },
  deadline: { type: duration({ minimum: 100, maximum: 60_000 }), page },
  mode: { type: oneOf("reject", "admit"), page },
  data: { type: flag, page },
  size: { type: either(wholeNumber(), oneOf("unbounded")), page },
  onError: { type: anyFunction(), page },
  store: { type: objectWith("Store", ["find", "save"]), page },
  headers: { type: listOf(text(), "a list of names"), page },
  rule: { type: group<RuleOptions>(rule), page },
  rules: { type: listOfGroups<RuleOptions>(rule), page },
} satisfies OptionGroup<TestOptions>

const check = (options: unknown) => () => checkOptions(definitions, options)

describe("checkOptions", () => {
  it("accepts correct options, and options that are undefined", () => {
    expect(check({})).not.toThrow()
    expect(check({ depth: undefined })).not.toThrow()
    const store = { find: () => {}, save: () => {}, other: 1 }
    const rules = [{ name: "a" }, { name: "b", share: 0.5 }]
    expect(
      check({ depth: 3, workers: 0, deadline: "1 second", mode: "admit", data: true, size: "unbounded", store, rules }),
    ).not.toThrow()
  })

  it.each<[string, unknown, string]>([
    ["a number below the minimum", { depth: 2 }, `"depth" must be a whole number of at least 3; got 2`],
    ["a fraction", { depth: 3.5 }, `"depth" must be a whole number of at least 3; got 3.5`],
    ["NaN", { depth: Number.NaN }, `"depth" must be a whole number of at least 3; got NaN`],
    ["null", { depth: null }, `"depth" must be a whole number of at least 3; got null`],
    ["text for a number", { depth: "3" }, `"depth" must be a whole number of at least 3; got "3"`],
    ["a number beyond the maximum", { workers: 1001 }, `"workers" must be a whole number between 0 and 1000; got 1001`],
    [
      "a negative duration",
      { deadline: -5 },
      `"deadline" must be a duration such as "30 seconds" or milliseconds; got -5`,
    ],
    ["an unknown text", { mode: "deny" }, `"mode" must be "reject" or "admit"; got "deny"`],
    ["text for a boolean", { data: "yes" }, `"data" must be true or false; got "yes"`],
    ["no value of a union", { size: 0 }, `"size" must be a whole number of at least 1 or "unbounded"; got 0`],
    ["text for a function", { onError: "log" }, `"onError" must be a function; got a string`],
    [
      "an object without a method",
      { store: { find: () => {}, password: "hunter2" } },
      `"store" must be an object with the methods find and save; got an object`,
    ],
    [
      "an instance without a method",
      { store: new Map() },
      `"store" must be an object with the methods find and save; got an instance of Map`,
    ],
    ["text for a list", { headers: "etag" }, `"headers" must be a list of names; got "etag"`],
    ["a list with a wrong item", { headers: ["a", ""] }, `"headers" must be a list of names; got ["a",""]`],
    ["a number for a group", { rule: 1 }, `"rule" must be an object of options; got 1`],
    ["an array for a group", { rule: [] }, `"rule" must be an object of options; got an array`],
    [
      "an empty list of groups",
      { rules: [] },
      `"rules" must be a list of at least one object of options; got an array`,
    ],
    ["no options at all", 5, "Options must be an object; got 5"],
  ])("refuses %s", (_, options, message) => {
    expect(check(options)).toThrow(new TypeError(message))
  })

  it("names nested options by their path", () => {
    expect(check({ rule: { name: "a", share: 2 } })).toThrow(
      `"rule.share" must be a number greater than 0 and at most 1; got 2`,
    )
    expect(check({ rules: [{ name: "a" }, { name: "" }] })).toThrow(
      `"rules[1].name" must be a non-empty string; got ""`,
    )
    expect(check({ rules: ["a"] })).toThrow(`"rules[0]" must be an object of options; got a string`)
  })

  it("refuses an unknown option and suggests the nearest name", () => {
    expect(check({ dept: 5 })).toThrow(`Unknown option "dept". Did you mean "depth"?`)
    expect(check({ rule: { name: "a", shares: 1 } })).toThrow(
      `Unknown option "rule.shares". Did you mean "rule.share"?`,
    )
  })

  it("suggests the group that an option belongs to", () => {
    expect(check({ share: 1 })).toThrow(`Unknown option "share". Did you mean "rule.share"?`)
  })

  it("lists the known options if no name is near", () => {
    expect(check({ rule: { name: "a", colour: "red" } })).toThrow(
      `Unknown option "rule.colour". The known options are: name, share`,
    )
  })

  it("refuses an unknown option that is undefined, and names of Object.prototype", () => {
    expect(check({ dept: undefined })).toThrow(`Unknown option "dept"`)
    expect(check({ toString: 1 })).toThrow(`Unknown option "toString"`)
  })

  it("says that a required option is missing", () => {
    expect(check({ rule: {} })).toThrow(`"rule.name" is required: it must be a non-empty string`)
  })

  it("names every wrong option", () => {
    expect(check({ dept: 1, workers: -1, rule: {} })).toThrow(
      [
        `Unknown option "dept". Did you mean "depth"?`,
        `"workers" must be a whole number between 0 and 1000; got -1`,
        `"rule.name" is required: it must be a non-empty string`,
      ].join("\n"),
    )
  })
})
