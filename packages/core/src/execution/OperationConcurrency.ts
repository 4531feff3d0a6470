/** How many operations of a batch run at once. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

/**
 * How many commit groups of one batch run at once: a number from 1, or `Infinity`. Default 10.
 *
 * **Details** An effect is run when a batch is planned, so that the number can follow a gauge. Numbers below 1 count as 1.
 */
export const OperationConcurrency = Context.Reference<number | Effect.Effect<number>>(
  "@multistatus/core/OperationConcurrency",
  { defaultValue: () => 10 },
)
