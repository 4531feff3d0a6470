import { describe, expect, it } from "vitest"
import { returnPreference } from "../../src/edge/Preference.ts"

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
