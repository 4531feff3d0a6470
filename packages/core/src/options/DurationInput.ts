/** Durations as applications write them. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { OptionType } from "./Option.ts"

/**
 * A duration: milliseconds, or a text such as `"15 seconds"`, `"2 minutes"` or `"1 day"`.
 *
 * **Details** The units are `millis`, `seconds`, `minutes`, `hours`, `days` and `weeks`, each in the singular, too. Effect's
 * `Duration` is accepted as well. A duration must be a whole number of milliseconds.
 */
export type DurationInput = number | string | Duration.Duration

/** The type of options that take a duration. */
export interface DurationType extends OptionType<DurationInput> {
  readonly isDuration: true
}

/** The longest delay of a timer in milliseconds: 24 days. A timer with a longer delay fires at once. */
export const longestTimer = 2 ** 31 - 1

/** Durations between two bounds in milliseconds, both included. Default: from 1 ms to the longest delay of a timer. */
export const duration = ({ minimum = 1, maximum = longestTimer } = {}): DurationType => ({
  schema: Schema.declare((value): value is DurationInput => {
    const milliseconds = millisOf(value)
    return milliseconds !== undefined && milliseconds >= minimum && milliseconds <= maximum
  }),
  name: "duration",
  expected: `a duration such as "30 seconds" or milliseconds`,
  hint: (value) => {
    const milliseconds = millisOf(value)
    if (milliseconds === undefined || milliseconds < 0) return undefined
    return milliseconds < minimum ? `The minimum is ${readable(minimum)}` : `The maximum is ${readable(maximum)}`
  },
  isDuration: true,
})

/** Milliseconds of a duration that was checked. */
export const toMillis = (input: DurationInput): number => Duration.toMillis(input as Duration.Input)

const readable = (milliseconds: number): string => Duration.format(Duration.millis(milliseconds))

// Undefined if the value is no duration, or no whole number of milliseconds.
const millisOf = (value: unknown): number | undefined => {
  if (typeof value !== "number" && typeof value !== "string" && !Duration.isDuration(value)) return undefined
  const parsed = Duration.fromInput(value as Duration.Input)
  if (Number.isNaN(value) || Option.isNone(parsed)) return undefined
  const milliseconds = Duration.toMillis(parsed.value)
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined
}
