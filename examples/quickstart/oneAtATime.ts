/**
 * A policy that acquires something and releases it: one batch of a tenant at a time.
 */
import { BatchError, type BatchPolicy, PolicyRefusal } from "@multistatus/core"
import * as Effect from "effect/Effect"

export const oneAtATime = (): BatchPolicy => {
  const busy = new Set<string>()
  return {
    name: "one-at-a-time",
    admit: ({ tenant = "" }) =>
      Effect.acquireRelease(
        Effect.suspend(() =>
          busy.has(tenant) ? Effect.fail(new BatchError({ reason: tooMany })) : Effect.sync(() => busy.add(tenant)),
        ),
        () => Effect.sync(() => busy.delete(tenant)),
      ),
  }
}

const tooMany = new PolicyRefusal({
  code: "BATCH_IN_PROGRESS",
  status: 429,
  detail: "Another batch of yours is running. Wait for its response, then send the next one",
  retryAfter: 1,
})
