/** Who sends a batch. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * Returns the tenant of a request of the host framework; undefined where it has none. Limits, quotas, idempotency keys and
 * actions use it. Default: there are no tenants.
 */
export const TenantResolver = Context.Reference<(request: unknown) => Effect.Effect<string | undefined>>(
  "@multistatus/core/TenantResolver",
  { defaultValue: () => () => Effect.succeed(undefined) },
)
