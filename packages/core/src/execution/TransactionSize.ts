/** How many operations share a transaction. */
import * as Context from "effect/Context"

/**
 * How many operations share one transaction in batches that are not atomic; each is rolled back alone if it fails. Needs a
 * `UnitOfWork`. Default undefined: they run without transactions.
 */
export const TransactionSize = Context.Reference<number | undefined>("@multistatus/core/TransactionSize", {
  defaultValue: () => undefined,
})
