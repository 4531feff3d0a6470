/** The service of limits: which limits apply to one batch. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { checkOptions } from "../options/checkOptions.ts"
import type { BatchContext } from "./BatchContext.ts"
import type { BatchError } from "./BatchError.ts"
import * as Limits from "./Limits.ts"

/**
 * Returns the limits of each batch.
 *
 * **Details** An endpoint asks before it reads the body, so the limits may depend on the tenant and on the headers. A
 * failure refuses the batch.
 */
export class BatchLimits extends Context.Service<
  BatchLimits,
  {
    /** The limits that the endpoint publishes, and that its jobs have. */
    readonly published: Limits.Limits
    /** Returns the limits of one batch. */
    readonly of: (batch: BatchContext) => Effect.Effect<Limits.Limits, BatchError>
  }
>()("@multistatus/core/BatchLimits") {
  /** The same limits for every batch. Throws a `TypeError` that names every wrong option. */
  static readonly layer = (options: Limits.LimitsOptions = {}): Layer.Layer<BatchLimits> => {
    checkOptions(Limits.limitsOptions, options)
    return BatchLimits.layerFrom(Limits.make(options))
  }

  /** Limits with all defaults filled in; `of` overrides them for single batches. */
  static readonly layerFrom = (
    published: Limits.Limits,
    of: BatchLimits["Service"]["of"] = () => Effect.succeed(published),
  ): Layer.Layer<BatchLimits> => Layer.succeed(BatchLimits, { published, of })
}
