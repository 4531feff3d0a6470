import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Batch } from "../batch/Batch.ts"
import { partial } from "../batch/Strategy.ts"
import { BatchEngine } from "../engine/BatchEngine.ts"
import type { JobEndpoint, JobEndpointOptions } from "./JobEndpoint.ts"
import { paid } from "../quota/Quota.ts"

/**
 * An endpoint as jobs need it: the same engine, limits, quota and idempotency, without a request and without a deadline.
 * Undefined where batches of its format cannot run later.
 */
export const jobEndpointOf = Effect.fnUntraced(function* <Input>(options: JobEndpointOptions<Input>) {
  const { codec, limits, strategy, endpoint, unitOfWork, quota: quotas } = options
  const { encodeResult } = codec
  if (encodeResult === undefined) return undefined
  const engine = yield* BatchEngine
  const runExit = Effect.runPromiseExitWith(yield* Effect.context<never>())
  const run = async <A, E>(effect: Effect.Effect<A, E>): Promise<A> => {
    const exit = await runExit(effect)
    if (Exit.isSuccess(exit)) return exit.value
    throw Cause.squash(exit.cause)
  }
  const unlimited = { ...limits, deadlineMs: longest }
  const made: JobEndpoint = {
    name: endpoint,
    codec: codec as JobEndpoint["codec"],
    encodeResult,
    limits,
    strategy,
    unitOfWork,
    charge: async (operations, tenant) => {
      if (quotas === undefined) return undefined
      const scope = await run(Scope.make())
      const release = () => run(Scope.close(scope, Exit.void))
      try {
        // A job waits for its quota, it is not cut short by it; and it was counted as a batch when it was handed in.
        const quota = await run(quotas.openJob(tenant))
        const batch = { operations, strategy: partial }
        await run(Scope.provide(quota.charge({ batch, endpoint, tenant }), scope))
        return { began: quota.onStart, release }
      } catch (error) {
        await release()
        throw error
      }
    },
    run: async ({ batch, tenant, keyScope, stop, began, within }) => {
      const dispatcher = options.dispatcher({ tenant, headers: {}, request: undefined })
      const quota = began && { ...paid, onStart: began }
      const request = {
        endpoint,
        batch: batch as Batch<Input>,
        dispatcher,
        limits: unlimited,
        tenant,
        keyScope,
        format: codec.format,
        quota,
        signal: undefined,
        stop,
        within,
      }
      // Closing the scope waits until results are recorded.
      await run(Effect.scoped(engine.run(request)))
    },
  }
  return made
})

// The longest time that a timer of 32 bits can wait for: 24 days.
const longest = 2 ** 31 - 1
