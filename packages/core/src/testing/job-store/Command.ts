/** Random commands of several workers to a store of jobs. */
import * as fc from "fast-check"

/** A command; jobs, chunks and holds are meant by their places among those that there are. */
export type Command =
  | {
      readonly _tag: "make"
      readonly sizes: ReadonlyArray<number>
      readonly window: number
      readonly key: number | undefined
      readonly tenant: number | undefined
      readonly print: number
      readonly way: "whole" | "upload"
    }
  | { readonly _tag: "start"; readonly job: number; readonly chunk: number; readonly dispatch: number | undefined }
  | { readonly _tag: "keep"; readonly hold: number; readonly again: boolean }
  | { readonly _tag: "commit"; readonly hold: number; readonly end: number; readonly halts: boolean }
  | { readonly _tag: "postpone"; readonly hold: number; readonly delayMs: number }
  | { readonly _tag: "cancel"; readonly job: number }
  | { readonly _tag: "overdue" }
  | {
      readonly _tag: "read"
      readonly job: number
      readonly from: number
      readonly limit: number
      readonly onlyFailed: boolean
    }
  | { readonly _tag: "tick"; readonly ms: number }
  | { readonly _tag: "again" }

const few = fc.nat({ max: 2 })
const tag = <Tag extends string>(_tag: Tag) => fc.constant(_tag)

/** Any command. */
export const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      _tag: tag("make"),
      sizes: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
      window: fc.integer({ min: 1, max: 3 }),
      key: fc.option(few, { nil: undefined, freq: 3 }),
      tenant: fc.option(fc.nat({ max: 1 }), { nil: undefined }),
      print: fc.nat({ max: 1 }),
      way: fc.constantFrom("whole", "upload"),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      _tag: tag("start"),
      job: few,
      chunk: fc.nat({ max: 4 }),
      dispatch: fc.option(few, { nil: undefined, freq: 2 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ _tag: tag("keep"), hold: fc.nat({ max: 4 }), again: fc.boolean() }) },
  {
    weight: 10,
    arbitrary: fc.record({
      _tag: tag("commit"),
      hold: fc.nat({ max: 4 }),
      end: fc.nat({ max: 3 }),
      halts: fc.nat({ max: 7 }).map((n) => n === 0),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      _tag: tag("postpone"),
      hold: fc.nat({ max: 4 }),
      delayMs: fc.constantFrom(0, 1_000, 30_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ _tag: tag("cancel"), job: few }) },
  { weight: 2, arbitrary: fc.record({ _tag: tag("overdue") }) },
  {
    weight: 3,
    arbitrary: fc.record({
      _tag: tag("read"),
      job: few,
      from: fc.nat({ max: 4 }),
      limit: fc.integer({ min: 1, max: 4 }),
      onlyFailed: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ _tag: tag("tick"), ms: fc.constantFrom(1, 500, 5_000, 12_000, 90_000) }) },
  { weight: 3, arbitrary: fc.record({ _tag: tag("again") }) },
)
