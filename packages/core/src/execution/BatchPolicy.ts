/**
 * Batch policies decide whether a planned batch may run, as a whole or in part. Applications add their own; they are
 * applied in the order of configuration, between planning and execution.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BatchError } from "../batch/BatchError.ts"
import type { Batch } from "../batch/Batch.ts"
import type { Plan } from "../planning/Plan.ts"

/** A batch that is ready to run; nothing of it has run yet. */
export interface PlannedBatch {
  readonly batch: Batch
  readonly plan: Plan
  /** Name of the endpoint that received the batch. */
  readonly endpoint: string
  /** The caller, as the configured tenant function returns it; undefined without one. */
  readonly tenant: string | undefined
}

/**
 * Admits batches, as a whole or in part.
 *
 * **Details** `admit` refuses the batch by failing. It settles single operations by setting their results;
 * these operations do not run. Resources that it acquires are released by finalizers of the scope, which closes when the
 * batch has run, a later policy has refused it, or it was interrupted. By then every operation that ran has its result.
 */
export interface BatchPolicy {
  readonly name: string
  readonly admit: (planned: PlannedBatch) => Effect.Effect<void, BatchError, Scope.Scope>
}
