/** A decoded batch: an ordered, non-empty list of operations, and the strategy to run them by. */
import type { Operation } from "./Operation.ts"
import type { Strategy } from "./Strategy.ts"

/** A batch: its operations in request order, and its strategy. */
export interface Batch<Input = unknown> {
  readonly operations: ReadonlyArray<Operation<Input>>
  readonly strategy: Strategy
}

/** Counts of the outcomes of a batch. The first three add up to the number of operations. */
export interface Tally {
  readonly succeeded: number
  readonly failed: number
  readonly skipped: number
  /** How many of the results were stored by an earlier execution. */
  readonly replayed: number
}

/** Counts the outcomes of a batch that has run. */
export const tally = (batch: Batch): Tally => {
  let succeeded = 0
  let skipped = 0
  let replayed = 0
  for (const { result } of batch.operations) {
    if (result?.outcome === "success") succeeded++
    else if (result?.outcome === "skipped") skipped++
    if (result?.replayed === true) replayed++
  }
  return { succeeded, failed: batch.operations.length - succeeded - skipped, skipped, replayed }
}
