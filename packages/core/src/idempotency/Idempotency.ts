/** Idempotency's place in the pipeline: keys are hashed first, claimed once the batch is planned, settled at the end. */
import * as Effect from "effect/Effect"
import type { Batch } from "../batch/Batch.ts"
import { BatchError } from "../batch/BatchError.ts"
import type { Operation } from "../batch/Operation.ts"
import * as FiberClock from "../platform/FiberClock.ts"
import { claimKeys } from "./claimKeys.ts"
import type { Claims } from "./Claims.ts"
import * as IdempotencyKeys from "./IdempotencyKeys.ts"
import type { IdempotencySettings } from "./IdempotencySettings.ts"
import { jsonValues } from "./jsonValues.ts"
import type { ValueFormat } from "../batch/Codec.ts"
import { CurrentDigest } from "../platform/Digest.ts"

/** What came of claiming. */
export interface Claimed {
  readonly claims: Claims | undefined
  readonly completed: boolean
  readonly unprotected: boolean
}

export interface Retries {
  /** How many calls share a transaction that stores their results; undefined where results are stored afterwards. */
  readonly transactionSize: number | undefined
  /**
   * Claims the keys of the batch, refusing one that is being done, or was another one; runs it; and settles what was
   * claimed when it has ended, however it ended.
   */
  readonly around: <A, E>(
    deadlineMs: number,
    run: (claimed: Claimed) => Effect.Effect<A, E>,
  ) => Effect.Effect<A, E | BatchError>
}

const nothing: Claimed = { claims: undefined, completed: false, unprotected: false }

/** For batches whose retries are not recognised. */
export const none: Retries = { transactionSize: undefined, around: (_, run) => run(nothing) }

export interface RetriesOptions {
  readonly settings: IdempotencySettings
  readonly format: ValueFormat | undefined
  readonly endpoint: string
  readonly tenant: string | undefined
  readonly idempotencyKey: string | undefined
}

/** Hashes the keys of a batch, while its inputs are still what was sent. */
export const make = Effect.fnUntraced(function* (
  batch: Batch,
  { settings, format = jsonValues, idempotencyKey, endpoint, tenant }: RetriesOptions,
) {
  const { operations } = batch
  const due = operations.filter(({ result }) => result === undefined)
  if (settings.required && idempotencyKey === undefined && !due.every(hasKey)) return yield* Effect.fail(keyRequired)
  if (idempotencyKey === undefined && !due.some(hasKey)) return none
  if (tenant === undefined && settings.scope === "tenant") return yield* Effect.fail(nobody)
  const digest = yield* CurrentDigest
  const scope = { tenant: settings.scope === "tenant" ? tenant : undefined, endpoint, digest, format }
  const keys = yield* Effect.promise(() => IdempotencyKeys.ofOperations(operations, scope))
  let batchKey: IdempotencyKeys.HashedKey | undefined
  if (idempotencyKey !== undefined) {
    batchKey = yield* Effect.promise(() => IdempotencyKeys.ofBatch(batch, idempotencyKey, scope))
    const held = due.filter((operation) => !hasKey(operation) && settings.onAmbiguous(operation) === "hold")
    const parts = yield* Effect.promise(() => IdempotencyKeys.ofParts(held, idempotencyKey, scope))
    for (const [operation, key] of parts) keys.set(operation, key)
  }
  const clock = FiberClock.make(yield* Effect.context<never>())
  const retries: Retries = {
    transactionSize: settings.sameTransaction,
    around: (deadlineMs, run) => {
      const claim = Effect.tryPromise({
        try: () => claimKeys({ settings, operations, keys, batchKey, format, deadlineMs, ...clock }),
        catch: (error) => error,
      }).pipe(Effect.catch((error) => (error instanceof BatchError ? Effect.fail(error) : Effect.die(error))))
      // Whoever interrupts a batch that is claiming its keys waits until it is known what has to be given back.
      const claimed = Effect.map(claim, (outcome): Claimed => ({
        claims: outcome._tag === "claimed" ? outcome.claims : undefined,
        completed: outcome._tag === "completed",
        unprotected: outcome._tag === "unprotected",
      }))
      return Effect.acquireUseRelease(claimed, run, ({ claims }) => Effect.promise(async () => claims?.finish()))
    },
  }
  return retries
})

const hasKey = ({ idempotencyKey }: Operation): boolean => idempotencyKey !== undefined

const keyRequired = BatchError.invalid(
  "IDEMPOTENCY_KEY_REQUIRED",
  "Send the header Idempotency-Key with the batch, or a key with every operation",
)

// Those who do not say who they are would be shown each other's results.
const nobody = BatchError.invalid(
  "INVALID_IDEMPOTENCY_KEY",
  "Idempotency keys are kept apart by caller, and this request does not say who is calling",
)
