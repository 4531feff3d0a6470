/** Idempotency's place in the pipeline: keys are hashed first, claimed once the batch is planned, settled at the end. */
import * as Effect from "effect/Effect"
import type { Batch } from "../domain/Batch.ts"
import { BatchError } from "../domain/BatchError.ts"
import type { Claims } from "../policies/Claims.ts"
import * as Idempotency from "../policies/Idempotency.ts"
import * as IdempotencyKeys from "../policies/IdempotencyKeys.ts"
import type { IdempotencySettings } from "../policies/IdempotencySettings.ts"
import type { ValueFormat } from "../ports/Codec.ts"
import { CurrentDigest } from "../ports/Digest.ts"

/** @category models @since 0.1.0 */
export interface Retries {
  /** How many calls share a transaction that stores their results; undefined where results are stored afterwards. */
  readonly transactionSize: number | undefined
  /** Claims the keys of the batch; refuses a batch that is being done, or was another one. */
  readonly claim: Effect.Effect<Idempotency.Claimed, BatchError>
  /** Settles what was claimed when the batch has ended, however it ended. */
  readonly settling: (claims: Claims | undefined) => <A, E>(run: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

/** For endpoints that do not recognise retries. @category constructors @since 0.1.0 */
export const none: Retries = {
  transactionSize: undefined,
  claim: Effect.succeed({ claims: undefined, completed: false }),
  settling: () => (run) => run,
}

/** @category models @since 0.1.0 */
export interface RetriesOptions {
  readonly settings: IdempotencySettings
  readonly format: ValueFormat | undefined
  readonly endpoint: string
  readonly tenant: string | undefined
  readonly idempotencyKey: string | undefined
}

const asItIs: ValueFormat = {
  toJson: (value) => value,
  fromJson: (json) => json,
  stub: (value) =>
    typeof value === "object" && value !== null && Object.hasOwn(value, "id")
      ? { id: (value as { readonly id: unknown }).id }
      : undefined,
}

/**
 * Hashes the keys of a batch, while its inputs are still what was sent.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  { operations, strategy }: Batch,
  { settings, format = asItIs, idempotencyKey, ...scope }: RetriesOptions,
) {
  const keyless = operations.some(
    (operation) => operation.result === undefined && operation.idempotencyKey === undefined,
  )
  if (settings.required && idempotencyKey === undefined && keyless) return yield* Effect.fail(keyRequired)
  const digest = yield* CurrentDigest
  const context = yield* Effect.context<never>()
  const keys = yield* Effect.promise(() => IdempotencyKeys.ofOperations(operations, scope, digest))
  const batchKey =
    idempotencyKey === undefined
      ? undefined
      : yield* Effect.promise(() => IdempotencyKeys.ofBatch(operations, strategy, idempotencyKey, scope, digest))
  const fork = Effect.runForkWith(context)
  const timer = (milliseconds: number, fire: () => void) => {
    const sleeping = fork(Effect.andThen(Effect.sleep(milliseconds), Effect.sync(fire)))
    return () => sleeping.interruptUnsafe()
  }
  const isKeyed = keys.size > 0 || batchKey !== undefined
  const retries: Retries = {
    transactionSize: isKeyed ? settings.sameTransaction : undefined,
    claim: Effect.suspend(() => {
      if (!isKeyed) return none.claim
      return Effect.tryPromise({
        try: () => Idempotency.claim({ settings, operations, keys, batchKey, format, timer }),
        catch: (error) => error,
      }).pipe(Effect.catch((error) => (error instanceof BatchError ? Effect.fail(error) : Effect.die(error))))
    }),
    settling: (claims) => (run) =>
      claims === undefined ? run : Effect.onExit(run, () => Effect.promise(() => claims.finish())),
  }
  return retries
})

const keyRequired = BatchError.invalid(
  "IDEMPOTENCY_KEY_REQUIRED",
  "Send the header Idempotency-Key with the batch, or a key with every operation",
)
