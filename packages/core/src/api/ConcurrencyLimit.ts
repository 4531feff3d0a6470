/** The limit of batches that run at once, over all endpoints of an application: in total and for each tenant. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { BatchError } from "../batch/BatchError.ts"
import { Overloaded } from "../batch/RefusalReason.ts"
import type { Limits } from "../batch/Limits.ts"

/** Runs a limited number of batches at once. An endpoint keeps to it if the context has it; without it, there is no limit. */
export class ConcurrencyLimit extends Context.Service<
  ConcurrencyLimit,
  {
    /** Runs an effect, or fails at once with `OVERLOADED` if the limit is reached. Batches do not wait for each other. */
    readonly within: <A, E>(tenant: string | undefined, run: Effect.Effect<A, E>) => Effect.Effect<A, E | BatchError>
  }
>()("@multistatus/core/ConcurrencyLimit") {
  /** One limit for all endpoints that the layer is provided to. */
  static readonly layer = (limits: Parameters<typeof make>[0]): Layer.Layer<ConcurrencyLimit> =>
    Layer.sync(ConcurrencyLimit, () => make(limits))
}

/** Makes a limit that all endpoints of an application share. A limit that is undefined does not apply. */
export const make = ({
  concurrentBatches,
  concurrentBatchesPerTenant,
}: Partial<Pick<Limits, "concurrentBatches" | "concurrentBatchesPerTenant">> = {}): ConcurrencyLimit["Service"] => {
  if (concurrentBatches === undefined && concurrentBatchesPerTenant === undefined) return { within: (_, run) => run }
  const limit = concurrentBatches ?? Number.POSITIVE_INFINITY
  const limitPerTenant = concurrentBatchesPerTenant ?? Number.POSITIVE_INFINITY
  let running = 0
  const runningPerTenant = new Map<string | undefined, number>()
  const add = (tenant: string | undefined, count: 1 | -1) => {
    running += count
    const ofTenant = (runningPerTenant.get(tenant) ?? 0) + count
    if (ofTenant === 0) runningPerTenant.delete(tenant)
    else runningPerTenant.set(tenant, ofTenant)
  }
  return {
    within: <A, E>(tenant: string | undefined, run: Effect.Effect<A, E>) =>
      Effect.suspend((): Effect.Effect<A, E | BatchError> => {
        if (running >= limit) return Effect.fail(overloaded(limit, "server"))
        if ((runningPerTenant.get(tenant) ?? 0) >= limitPerTenant)
          return Effect.fail(overloaded(limitPerTenant, "caller"))
        add(tenant, 1)
        return Effect.ensuring(
          run,
          Effect.sync(() => add(tenant, -1)),
        )
      }),
  }
}

const overloaded = (limit: number, scope: Overloaded["scope"]) =>
  new BatchError({ reason: new Overloaded({ limit, scope, retryAfter: 1 }) })
