/** The policies of an endpoint. */
import * as Context from "effect/Context"
import type { BatchPolicy } from "./BatchPolicy.ts"

/** The policies that admit a batch, in order. Default: none. */
export const BatchPolicies = Context.Reference<ReadonlyArray<BatchPolicy>>("@multistatus/core/BatchPolicies", {
  defaultValue: () => [],
})
