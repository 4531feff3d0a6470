/**
 * Idempotency of one batch: hashes its keys while inputs are as they were sent, claims the keys when the batch is planned,
 * and records results when operations have ended.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Batch } from "../batch/Batch.ts"
import { BatchError } from "../batch/BatchError.ts"
import type { ValueFormat } from "../batch/Codec.ts"
import type { Operation } from "../batch/Operation.ts"
import type { ExecutionHooks } from "../execution/ExecutionHooks.ts"
import { CurrentDigest } from "../platform/Digest.ts"
import * as FiberClock from "../platform/FiberClock.ts"
import { yieldToEventLoop } from "../platform/yieldToEventLoop.ts"
import type { Claims } from "./Claims.ts"
import { type ClaimOutcome, claimKeys } from "./claimKeys.ts"
import * as IdempotencyKeys from "./IdempotencyKeys.ts"
import type { IdempotencySettings } from "./IdempotencySettings.ts"
import { jsonValues } from "./jsonValues.ts"

/** A batch whose keys are hashed. */
export interface BatchIdempotency {
  /** How many calls share a transaction that also stores their results; undefined where results are stored afterwards. */
  readonly transactionSize: number | undefined
  /**
   * Claims the keys of the batch, and gives operations that are completed or in progress elsewhere their result. Closing
   * the scope waits until results are recorded and ends the claims, however the batch ended.
   *
   * **Details** Fails if another request is executing the batch, if its key was used for another batch, or if the store
   * cannot be reached and fails closed. Interrupting it waits for the store's answer, so that no claim is left behind.
   */
  readonly claim: (deadlineMs: number) => Effect.Effect<ClaimedBatch, BatchError, Scope.Scope>
}

/** A batch whose keys are claimed. */
export interface ClaimedBatch {
  /** Hooks that protect the claims during execution; undefined where nothing is claimed. */
  readonly hooks: ExecutionHooks | undefined
  /** Whether an earlier execution completed the batch: every result is a replay. */
  readonly completed: boolean
  /**
   * Records the results of the batch, every operation of which has one. Succeeds when the calls to the store are on their
   * way, with an effect that waits for their end: true if the store recorded the results, false if a retry may run
   * operations again.
   */
  readonly record: Effect.Effect<Effect.Effect<boolean>>
}

const unclaimed = (completed: boolean, isRecorded: boolean): ClaimedBatch => ({
  hooks: undefined,
  completed,
  record: Effect.succeed(Effect.succeed(isRecorded)),
})

/** Idempotency of a batch that has no keys. */
export const none: BatchIdempotency = {
  transactionSize: undefined,
  claim: () => Effect.succeed(unclaimed(false, true)),
}

export interface IdempotencyRequest {
  readonly settings: IdempotencySettings
  /** How values are stored. Default: as JSON. */
  readonly format: ValueFormat | undefined
  /** Name of the endpoint, which keeps its keys apart from those of others. */
  readonly endpoint: string
  readonly tenant: string | undefined
  /** The client's key for the batch as a whole. */
  readonly idempotencyKey: string | undefined
  /** Called with the error of the store, once for each outage. */
  readonly onOutage: (error: unknown) => void
}

/** Hashes the keys of a batch. Inputs have to be as they were sent: not validated and not replaced. */
export const prepare = Effect.fnUntraced(function* (
  batch: Batch,
  { settings, format = jsonValues, idempotencyKey, endpoint, tenant, onOutage }: IdempotencyRequest,
) {
  const { operations } = batch
  const due = operations.filter(({ result }) => result === undefined)
  if (settings.required && idempotencyKey === undefined && !due.every(hasKey)) return yield* Effect.fail(keyRequired)
  if (idempotencyKey === undefined && !due.some(hasKey)) return none
  if (tenant === undefined && settings.scope === "tenant") return yield* Effect.fail(tenantRequired)
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
  const claim = (deadlineMs: number): Effect.Effect<ClaimOutcome, BatchError> =>
    Effect.tryPromise({
      try: () => claimKeys({ settings, operations, keys, batchKey, format, deadlineMs, onOutage, ...clock }),
      catch: (error) => error,
    }).pipe(Effect.catch((error) => (error instanceof BatchError ? Effect.fail(error) : Effect.die(error))))
  const idempotency: BatchIdempotency = {
    transactionSize: settings.sameTransaction,
    claim: (deadlineMs) => Effect.map(Effect.acquireRelease(claim(deadlineMs), finish), toClaimedBatch),
  }
  return idempotency
})

const finish = (outcome: ClaimOutcome): Effect.Effect<void> =>
  outcome._tag === "claimed" ? Effect.promise(() => outcome.claims.finish()) : Effect.void

const toClaimedBatch = (outcome: ClaimOutcome): ClaimedBatch =>
  outcome._tag === "claimed"
    ? { hooks: outcome.claims, completed: false, record: record(outcome.claims) }
    : unclaimed(outcome._tag === "completed", outcome._tag !== "unprotected")

// In one turn of the event loop the calls leave this process. A store in memory answers earlier than that.
const record = (claims: Claims): Effect.Effect<Effect.Effect<boolean>> =>
  Effect.callback((resume) => {
    const finishing = claims.finish()
    const recorded = Effect.promise(async () => {
      await finishing
      return !claims.unrecorded
    })
    const proceed = () => resume(Effect.succeed(recorded))
    finishing.then(proceed, proceed)
    yieldToEventLoop(proceed)
  })

const hasKey = ({ idempotencyKey }: Operation): boolean => idempotencyKey !== undefined

const keyRequired = BatchError.invalid(
  "IDEMPOTENCY_KEY_REQUIRED",
  "This endpoint requires idempotency keys: send the header Idempotency-Key with the batch, or a key with every operation",
)

// Callers without a tenant would be shown each other's results.
const tenantRequired = BatchError.invalid(
  "INVALID_IDEMPOTENCY_KEY",
  "Idempotency keys belong to a caller, and this request does not tell who is calling: authenticate, or send no key",
)
