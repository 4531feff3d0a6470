import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Batch } from "../batch/Batch.ts"
import { partial } from "../batch/Strategy.ts"
import type { ItemCodec } from "../batch/Codec.ts"
import { BatchEngine } from "../engine/BatchEngine.ts"
import type { JobEndpoint, JobEndpointOptions } from "./JobEndpoint.ts"
import { paid } from "../quota/Quota.ts"

/**
 * Makes the job endpoint of an endpoint: the same engine, limits, quota and idempotency, without a request and without a
 * deadline. Undefined if batches of its format cannot run as jobs.
 */
export const jobEndpointOf = Effect.fnUntraced(function* <Input>(options: JobEndpointOptions<Input>) {
  const { codec, limits, strategy, endpoint, unitOfWork, concurrency, idempotency, quota: quotas } = options
  const { list, items } = codec
  if (items === undefined) return undefined
  const engine = yield* BatchEngine
  const runExit = Effect.runPromiseExitWith(yield* Effect.context<never>())
  const run = async <A, E>(effect: Effect.Effect<A, E>): Promise<A> => {
    const exit = await runExit(effect)
    if (Exit.isSuccess(exit)) return exit.value
    throw Cause.squash(exit.cause)
  }
  const unlimited = { ...limits, deadlineMs: longestTimerMs }
  const made: JobEndpoint = {
    name: endpoint,
    codec: { list, encode: (batch, encoding) => codec.encode(batch as Batch<Input>, encoding) },
    items: items as ItemCodec<unknown>,
    limits,
    strategy: strategy.default,
    isSequential: concurrency === 1,
    requiresKeys: idempotency?.required === true,
    unitOfWork,
    charge: async (operations, tenant) => {
      if (quotas === undefined) return undefined
      const scope = await run(Scope.make())
      const release = () => run(Scope.close(scope, Exit.void))
      try {
        // A job waits for its quota instead of being cut short by it. Its envelope was counted when it was submitted.
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
        // The key of the batch was checked when the job was submitted; its chunks have none.
        areKeysChecked: true,
      }
      // Closing the scope waits until results are recorded.
      await run(Effect.scoped(engine.run(request)))
    },
  }
  return made
})

/** The longest time that a timer of 32 bits can wait, in milliseconds: 24 days. */
const longestTimerMs = 2 ** 31 - 1
