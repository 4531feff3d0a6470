import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { checkStrict, respondAsync, returnPreference, wait } from "../../src/http/Preference.ts"

describe("returnPreference", () => {
  it.each<[string | ReadonlyArray<string> | undefined, string | undefined]>([
    ["return=minimal", "minimal"],
    ["return=representation", "representation"],
    ["Return=Minimal", "minimal"],
    [`return="minimal"`, "minimal"],
    ["return = minimal", "minimal"],
    ["respond-async, return=minimal", "minimal"],
    ["respond-async,return=minimal; foo=bar", "minimal"],
    ["wait=10, return=representation", "representation"],
    [["respond-async", "return=minimal"], "minimal"],
    ["return=minimal, return=representation", "minimal"],
    [undefined, undefined],
    ["", undefined],
    ["return", undefined],
    ["return=", undefined],
    ["return=everything", undefined],
    ["no-return=minimal", undefined],
    ["return=minimalist", undefined],
    ["respond-async", undefined],
  ])("reads %j as %j", (prefer, expected) => expect(returnPreference({ prefer })).toBe(expected))
})

describe("respondAsync and wait", () => {
  it.each<[string | ReadonlyArray<string> | undefined, boolean, number | undefined]>([
    ["respond-async", true, undefined],
    ["Respond-Async; wait=10", true, 10],
    ["return=minimal, respond-async, wait=5", true, 5],
    [["wait=0", "respond-async"], true, 0],
    ["respond-asynchronously", false, undefined],
    ["no-respond-async", false, undefined],
    [`handling="respond-async"`, false, undefined],
    ["wait=-1", false, undefined],
    ["wait=soon", false, undefined],
    [undefined, false, undefined],
  ])("read %j as %s and %s", (prefer, isAsync, seconds) => {
    expect({ isAsync: respondAsync({ prefer }), seconds: wait({ prefer }) }).toEqual({ isAsync, seconds })
  })
})

describe("checkStrict", () => {
  const all = { return: true, "respond-async": true }

  it.each<[string | undefined, boolean]>([
    [undefined, false],
    ["return=minimal, unknown", false],
    ["handling=lenient, unknown", false],
    ["handling=strict", true],
    ['return=minimal, respond-async; wait=10, Handling="Strict"', true],
  ])("accepts %j", (prefer, isStrict) => {
    expect(checkStrict({ prefer }, all)).toEqual(Result.succeed(isStrict))
  })

  it.each<[string, typeof all, string]>([
    ["handling=strict, unknown", all, '"unknown"'],
    ["odata.maxpagesize=5, handling=strict", all, '"odata.maxpagesize=5"'],
    ["handling=strict, return=everything", all, '"return=everything"'],
    ["handling=strict, wait=soon", all, '"wait=soon"'],
    ["handling=strict, respond-async", { ...all, "respond-async": false }, '"respond-async"'],
    ["handling=strict, return=minimal", { ...all, return: false }, '"return=minimal"'],
  ])("refuses %j", (prefer, supported, named) => {
    const { message, status } = Result.getOrThrow(Result.flip(checkStrict({ prefer }, supported)))
    expect([status, message]).toEqual([400, expect.stringContaining(`cannot apply the preference ${named}`)])
  })
})
