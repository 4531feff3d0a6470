/**
 * A step between the plan and the execution of a batch: what decides whether, and which part of, a runnable batch
 * runs. Rules of the application's own stand here, in the order they are configured in.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BatchError } from "../batch/BatchError.ts"
import type { Batch } from "../batch/Batch.ts"
import type { Plan } from "../planning/Plan.ts"

/** A batch that is known to be runnable, and of which nothing has run. */
export interface PlannedBatch {
  readonly batch: Batch
  readonly plan: Plan
  /** Which endpoint the batch came to. */
  readonly endpoint: string
  /** Who is calling, as the configured tenant function says; undefined without one. */
  readonly tenant: string | undefined
}

/**
 * Admits a batch, in part or whole.
 *
 * **Details** `admit` may refuse the batch by failing, or set the result of single operations, which then do not
 * run: a replay, or a refusal of that operation alone. What it takes it gives back in a finalizer of the scope, which
 * closes when the batch has run, was refused by a later policy, or was interrupted; by then every operation that ran
 * has its result.
 */
export interface BatchPolicy {
  readonly name: string
  readonly admit: (planned: PlannedBatch) => Effect.Effect<void, BatchError, Scope.Scope>
}
