/** Random commands of several workers to a job store. */
import * as fc from "fast-check"

/** A command. `job`, `chunk`, `hold`, `key` and `tenant` are indexes into those that a run knows. */
export type Command =
  | {
      readonly _tag: "submit"
      /** Numbers of operations of the chunks. */
      readonly sizes: ReadonlyArray<number>
      readonly window: number
      readonly key: number | undefined
      readonly tenant: number | undefined
      readonly fingerprint: number
      readonly isUpload: boolean
    }
  | { readonly _tag: "start"; readonly job: number; readonly chunk: number; readonly dispatch: number | undefined }
  | { readonly _tag: "checkpoint"; readonly hold: number; readonly repeatsPart: boolean }
  | { readonly _tag: "commit"; readonly hold: number; readonly ending: Ending; readonly halts: boolean }
  | { readonly _tag: "postpone"; readonly hold: number; readonly delayMs: number }
  | { readonly _tag: "cancel"; readonly job: number }
  | { readonly _tag: "overdue" }
  | {
      readonly _tag: "results"
      readonly job: number
      readonly from: number
      readonly limit: number
      readonly onlyFailed: boolean
    }
  /** Time passes, and expired jobs are swept. */
  | { readonly _tag: "wait"; readonly ms: number }
  /** The last command is repeated. */
  | { readonly _tag: "repeat" }

/** Which operations of a chunk succeed. */
export type Ending = "all succeed" | "all fail" | "one fails" | "one is skipped"

const index = fc.nat({ max: 2 })
const hold = fc.nat({ max: 4 })
const tag = <Tag extends string>(_tag: Tag) => fc.constant(_tag)

/** Any command. */
export const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      _tag: tag("submit"),
      sizes: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
      window: fc.integer({ min: 1, max: 3 }),
      key: fc.option(index, { nil: undefined, freq: 3 }),
      tenant: fc.option(fc.nat({ max: 1 }), { nil: undefined }),
      fingerprint: fc.nat({ max: 1 }),
      isUpload: fc.boolean(),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      _tag: tag("start"),
      job: index,
      chunk: fc.nat({ max: 4 }),
      dispatch: fc.option(index, { nil: undefined, freq: 2 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ _tag: tag("checkpoint"), hold, repeatsPart: fc.boolean() }) },
  {
    weight: 10,
    arbitrary: fc.record({
      _tag: tag("commit"),
      hold,
      ending: fc.constantFrom<Ending>("all succeed", "all fail", "one fails", "one is skipped"),
      halts: fc.nat({ max: 7 }).map((n) => n === 0),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ _tag: tag("postpone"), hold, delayMs: fc.constantFrom(0, 1_000, 30_000) }),
  },
  { weight: 1, arbitrary: fc.record({ _tag: tag("cancel"), job: index }) },
  { weight: 2, arbitrary: fc.record({ _tag: tag("overdue") }) },
  {
    weight: 3,
    arbitrary: fc.record({
      _tag: tag("results"),
      job: index,
      from: fc.nat({ max: 4 }),
      limit: fc.integer({ min: 1, max: 4 }),
      onlyFailed: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ _tag: tag("wait"), ms: fc.constantFrom(1, 500, 5_000, 12_000, 90_000) }) },
  { weight: 3, arbitrary: fc.record({ _tag: tag("repeat") }) },
)
