/**
 * Idempotency of one batch: hashes its keys while inputs are as they were sent, claims the keys when the batch is planned,
 * and records results when operations have ended.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Batch } from "../batch/Batch.ts"
import { BatchError } from "../batch/BatchError.ts"
import type { ValueFormat } from "../batch/Codec.ts"
import type { Operation } from "../batch/Operation.ts"
import type { ExecutionHooks } from "../execution/ExecutionHooks.ts"
import { UnitOfWork } from "../execution/UnitOfWorkService.ts"
import { checkOptions } from "../options/checkOptions.ts"
import { CurrentDigest } from "../platform/Digest.ts"
import * as FiberClock from "../platform/FiberClock.ts"
import { yieldToEventLoop } from "../platform/yieldToEventLoop.ts"
import type { Claims } from "./Claims.ts"
import { type ClaimOutcome, claimKeys } from "./claimKeys.ts"
import * as IdempotencyKeys from "./IdempotencyKeys.ts"
import { type IdempotencyOptions, idempotencyOptions } from "./IdempotencyOptions.ts"
import { type IdempotencySettings, resolveOptions } from "./IdempotencySettings.ts"
import { IdempotencyStore } from "./IdempotencyStoreService.ts"
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

/** What the keys of a batch are hashed with. */
export interface IdempotencyRequest {
  /** How values are stored. Default: as JSON. */
  readonly format: ValueFormat | undefined
  /** Name of the endpoint, which keeps its keys apart from those of others. */
  readonly endpoint: string
  readonly tenant: string | undefined
  /** The client's key for the batch as a whole. */
  readonly idempotencyKey: string | undefined
  /** Whether required keys were checked when the batch was accepted, so that missing ones do not refuse it. Default false. */
  readonly areKeysChecked?: boolean | undefined
  /** Called with the error of the store, once for each outage. */
  readonly onOutage: (error: unknown) => void
}

/** Recognises retries of batches and operations by their idempotency keys. */
export class Idempotency extends Context.Service<
  Idempotency,
  {
    /** Whether every operation needs a key. */
    readonly required: boolean
    /** Whether the query of the endpoint's URL keeps keys apart, as its path does. */
    readonly includeQuery: boolean
    /** Hashes the keys of a batch. Inputs have to be as they were sent: not validated and not replaced. */
    readonly prepare: (batch: Batch, request: IdempotencyRequest) => Effect.Effect<BatchIdempotency, BatchError>
  }
>()("@multistatus/core/Idempotency") {
  /**
   * Keeps keys and results in the store of the context. The layer dies with a `TypeError` if options are wrong, or if the store
   * takes no part in the transactions that they ask for.
   */
  static readonly layer = (
    options: Omit<IdempotencyOptions, "store"> = {},
  ): Layer.Layer<Idempotency, never, IdempotencyStore> =>
    Layer.effect(
      Idempotency,
      Effect.gen(function* () {
        const complete = { ...options, store: yield* IdempotencyStore }
        checkOptions(idempotencyOptions, complete)
        const hasUnitOfWork = Option.isSome(yield* Effect.serviceOption(UnitOfWork))
        // Whether there are tenants is known with the first request: without one, keys are refused.
        return make(resolveOptions(complete, { hasTenant: true, hasUnitOfWork }))
      }),
    )

  /** Keeps keys and results as settings say that were resolved, in the store of the context. */
  static readonly layerFrom = (
    settings: Omit<IdempotencySettings, "store">,
  ): Layer.Layer<Idempotency, never, IdempotencyStore> =>
    Layer.effect(
      Idempotency,
      Effect.map(IdempotencyStore, (store) => make({ ...settings, store })),
    )
}

const make = (settings: IdempotencySettings): Idempotency["Service"] => ({
  required: settings.required,
  includeQuery: settings.includeQuery,
  prepare: (batch, request) => prepare(batch, settings, request),
})

const prepare = Effect.fnUntraced(function* (
  batch: Batch,
  settings: IdempotencySettings,
  { format = jsonValues, idempotencyKey, endpoint, tenant, areKeysChecked = false, onOutage }: IdempotencyRequest,
) {
  const { operations } = batch
  const due = operations.filter(({ result }) => result === undefined)
  const mustHaveKeys = settings.required && !areKeysChecked
  if (mustHaveKeys && idempotencyKey === undefined && !due.every(hasKey)) return yield* Effect.fail(keyRequired)
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
  const prepared: BatchIdempotency = {
    transactionSize: settings.sameTransaction,
    claim: (deadlineMs) => Effect.map(Effect.acquireRelease(claim(deadlineMs), finish), toClaimedBatch),
  }
  return prepared
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
