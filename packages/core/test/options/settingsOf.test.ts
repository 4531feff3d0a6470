import { describe, expect, expectTypeOf, it } from "vitest"
import { duration, type DurationInput } from "../../src/options/DurationInput.ts"
import type { OptionGroup } from "../../src/options/Option.ts"
import { flag, oneOf, wholeNumber } from "../../src/options/OptionTypes.ts"
import { settingsOf } from "../../src/options/settingsOf.ts"

interface TestOptions {
  readonly workers: number
  readonly depth?: number | undefined
  readonly bytes?: number | undefined
  readonly data?: boolean | undefined
  readonly ttl?: DurationInput | undefined
  readonly deadline?: DurationInput | undefined
}

const page = "limits.md"
const required: TestOptions = { workers: 1 }

const definitions = {
  workers: { type: wholeNumber(), required: true, page },
  depth: { type: wholeNumber(), default: 64, page },
  bytes: { type: wholeNumber(), page },
  data: { type: flag, default: true, page },
  ttl: { type: duration(), default: "1 minute", page },
  deadline: { type: duration(), page },
} satisfies OptionGroup<TestOptions>

describe("settingsOf", () => {
  it("fills in defaults", () => {
    expect(settingsOf(definitions, required)).toStrictEqual({
      workers: 1,
      depth: 64,
      bytes: undefined,
      data: true,
      ttlMs: 60_000,
      deadlineMs: undefined,
    })
  })

  it("fills in the default of an option that is undefined", () => {
    expect(settingsOf<TestOptions, typeof definitions>(definitions, { workers: 1, depth: undefined }).depth).toBe(64)
  })

  it("keeps what is given, and ignores what the definitions do not name", () => {
    const given = { workers: 1, depth: 3, bytes: 7, data: false, ttl: 5, deadline: "2 seconds", other: 1 }
    const options: TestOptions = given
    expect(settingsOf(definitions, options)).toStrictEqual({
      workers: 1,
      depth: 3,
      bytes: 7,
      data: false,
      ttlMs: 5,
      deadlineMs: 2_000,
    })
  })

  it("has a type that says which settings can be undefined", () => {
    expectTypeOf(settingsOf(definitions, required)).toEqualTypeOf<{
      readonly workers: number
      readonly depth: number
      readonly bytes: number | undefined
      readonly data: boolean
      readonly ttlMs: number
      readonly deadlineMs: number | undefined
    }>()
  })
})

describe("definitions", () => {
  it("are compared with their interface by the compiler", () => {
    type Group = OptionGroup<{ readonly mode?: "a" | "b" | undefined; readonly size: number }>
    const size = { type: wholeNumber(), required: true, page } as const
    const correct = { mode: { type: oneOf("a", "b"), default: "a", page }, size } as const
    expectTypeOf(correct).toExtend<Group>()
    const { mode } = correct
    expectTypeOf({ mode }).not.toExtend<Group>()
    expectTypeOf({ mode, size: { type: wholeNumber(), page } }).not.toExtend<Group>()
    expectTypeOf({ mode: { ...mode, type: oneOf("a") }, size }).not.toExtend<Group>()
    expectTypeOf({ mode: { ...mode, type: oneOf("a", "b", "c") }, size }).not.toExtend<Group>()
    expectTypeOf({ mode: { ...mode, default: "c" } as const, size }).not.toExtend<Group>()
  })
})
