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
  ])("of %j is %j", (prefer, expected) => expect(returnPreference({ prefer })).toBe(expected))
})

describe("not waiting for the answer", () => {
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
  ])("is told by %j: %s, within %s s", (prefer, isAsked, seconds) => {
    expect([respondAsync({ prefer }), wait({ prefer })]).toEqual([isAsked, seconds])
  })
})
