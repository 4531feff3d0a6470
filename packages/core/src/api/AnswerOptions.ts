/** Options of the answers of bulk and operations endpoints. */
import type { Listing } from "../batch/Codec.ts"
import type { MultiStatusOptions, StatusMode } from "../formats/MultiStatus.ts"
import type { OptionGroup } from "../options/Option.ts"
import { flag, oneOf } from "../options/OptionTypes.ts"
import { settingsOf } from "../options/settingsOf.ts"

/** How bulk and operations endpoints answer. */
export interface AnswerOptions {
  /** Which results the answer lists: `all`, `failed`, or `failed+ids` with the ids of the others. Default `"all"`. */
  readonly results?: Listing | undefined
  /** Whether a successful result carries the value that the action returned, as `data`. Default `false`. */
  readonly data?: boolean | undefined
  /** HTTP status of the answer: `mixed` is 200 if every operation succeeded and 207 otherwise. Default `"mixed"`. */
  readonly status?: StatusMode | undefined
  /**
   * How a BigInt in the value that the action returned is written: as a JSON `number`, which must be a safe integer, or as a
   * `string`. Default: a value with a BigInt is left out and reported to `onUnexpected`.
   */
  readonly bigint?: "number" | "string" | undefined
}

const page = "endpoints.md"

/** Definitions of the options of answers. */
export const answerOptions = {
  results: { type: oneOf("all", "failed", "failed+ids"), default: "all", page },
  data: { type: flag, default: false, page },
  status: { type: oneOf("mixed", "200", "207"), default: "mixed", page },
  bigint: {
    type: oneOf("number", "string"),
    defaultText: "a value with a BigInt is left out and reported to `onUnexpected`",
    page: "actions.md",
  },
} satisfies OptionGroup<AnswerOptions>

/** Makes settings of options that were checked. */
export const answerSettings = (options: AnswerOptions): MultiStatusOptions => {
  const { results, data, status } = settingsOf(answerOptions, options)
  return { listing: results, data, status }
}
