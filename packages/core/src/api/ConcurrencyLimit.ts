/** How many batches run at once, over all endpoints that share one admission: of all callers, and of each. */
import * as Effect from "effect/Effect"
import { BatchError } from "../batch/BatchError.ts"
import { Overloaded } from "../batch/RefusalReason.ts"
import type { Limits } from "../batch/Limits.ts"

/** Room for so many batches at once. */
export interface ConcurrencyLimit {
  /** Runs an effect if there is room for it; refuses the batch at once if there is not. Nobody waits in line. */
  readonly within: <A, E>(tenant: string | undefined, run: Effect.Effect<A, E>) => Effect.Effect<A, E | BatchError>
}

/** Makes room for as many batches as the limits allow. */
export const make = ({
  concurrentBatches,
  concurrentBatchesPerTenant,
}: Partial<Pick<Limits, "concurrentBatches" | "concurrentBatchesPerTenant">> = {}): ConcurrencyLimit => {
  if (concurrentBatches === undefined && concurrentBatchesPerTenant === undefined) return { within: (_, run) => run }
  const limit = concurrentBatches ?? Number.POSITIVE_INFINITY
  const limitEach = concurrentBatchesPerTenant ?? Number.POSITIVE_INFINITY
  let running = 0
  const runningOf = new Map<string | undefined, number>()
  const change = (tenant: string | undefined, by: 1 | -1) => {
    running += by
    const own = (runningOf.get(tenant) ?? 0) + by
    if (own === 0) runningOf.delete(tenant)
    else runningOf.set(tenant, own)
  }
  return {
    within: <A, E>(tenant: string | undefined, run: Effect.Effect<A, E>) =>
      Effect.suspend((): Effect.Effect<A, E | BatchError> => {
        if (running >= limit) return Effect.fail(overloaded(limit, "server"))
        if ((runningOf.get(tenant) ?? 0) >= limitEach) return Effect.fail(overloaded(limitEach, "caller"))
        change(tenant, 1)
        return Effect.ensuring(
          run,
          Effect.sync(() => change(tenant, -1)),
        )
      }),
  }
}

const overloaded = (limit: number, scope: Overloaded["scope"]) =>
  new BatchError({ reason: new Overloaded({ limit, scope, retryAfter: 1 }) })
