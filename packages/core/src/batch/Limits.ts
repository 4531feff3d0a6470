/** What a batch may be at most. Every limit has a default, is published by `describe` and is checked at start-up. */
import * as Schema from "effect/Schema"

const atLeast = (minimum: number) => Schema.Int.check(Schema.isGreaterThanOrEqualTo(minimum))

/** Limits as they hold; `undefined` means there is none. */
export interface Limits {
  /** Operations per batch. */
  readonly operations: number
  /** Bytes of the body, as received. */
  readonly bodyBytes: number
  /** Bytes of one operation, as JSON. Beyond: that operation is refused. */
  readonly operationBytes: number
  /** Depth of the JSON. The envelope itself is 1, its list of operations 2, an operation 3. */
  readonly depth: number
  /** Milliseconds that a batch may run, from the arrival of its last byte. */
  readonly deadlineMs: number
  /** Milliseconds that one operation may run. */
  readonly operationTimeoutMs: number | undefined
  /** Milliseconds in which a body must arrive. */
  readonly receiveMs: number
  /** Bytes of the response. Beyond: later results say that they were left out. */
  readonly responseBytes: number | undefined
  /** Batches that may run at once, over all endpoints that share these limits. */
  readonly concurrentBatches: number | undefined
  /** Batches that may run at once for one caller. */
  readonly concurrentBatchesPerTenant: number | undefined
}

/** Limits as configured: any of them, each checked. */
export const LimitsOptions = Schema.Struct({
  operations: Schema.optional(atLeast(1)),
  bodyBytes: Schema.optional(atLeast(1)),
  operationBytes: Schema.optional(atLeast(1)),
  depth: Schema.optional(atLeast(3)),
  // A longer delay overflows the 32 bits of a timer and would fire at once.
  deadlineMs: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 31 - 1 }))),
  operationTimeoutMs: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 31 - 1 }))),
  receiveMs: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 31 - 1 }))),
  responseBytes: Schema.optional(atLeast(1)),
  concurrentBatches: Schema.optional(atLeast(1)),
  concurrentBatchesPerTenant: Schema.optional(atLeast(1)),
})

export type LimitsOptions = typeof LimitsOptions.Type

/**
 * 1,000 operations, 10 MiB, 1 MiB an operation, depth 64, 30 s to run, 60 s to arrive; no limit on the time of one
 * operation, on the response or on concurrent batches.
 */
export const defaults: Limits = {
  operations: 1_000,
  bodyBytes: 10 * 1024 * 1024,
  operationBytes: 1024 * 1024,
  depth: 64,
  deadlineMs: 30_000,
  operationTimeoutMs: undefined,
  receiveMs: 60_000,
  responseBytes: undefined,
  concurrentBatches: undefined,
  concurrentBatchesPerTenant: undefined,
}

/** Fills in what was not configured. */
export const make = (options: LimitsOptions = {}): Limits => {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...defaults, ...Object.fromEntries(given) }
}
