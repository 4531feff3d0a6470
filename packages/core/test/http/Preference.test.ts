import { describe, expect, it } from "vitest"
import { respondAsync, returnPreference, wait } from "../../src/http/Preference.ts"

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
