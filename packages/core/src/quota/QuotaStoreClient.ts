/**
 * Calls the quota store of an endpoint: with a timeout, with a pause after a failure, and with the configured fallback
 * while the store is unavailable.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { BatchError } from "../batch/BatchError.ts"
import { PolicyRefusal } from "../batch/RefusalReason.ts"
import * as Gcra from "./Gcra.ts"
import type { QuotaCharge, QuotaDecision, QuotaRefund, QuotaRule } from "./QuotaCharge.ts"
import * as QuotaCost from "./QuotaCost.ts"
import type { QuotaSettings } from "./QuotaSettings.ts"
import type { QuotaStore } from "./QuotaStore.ts"

/** State that the batches of one endpoint share. */
export interface QuotaMemory {
  /** When the store may be called again after a failure, in milliseconds by the clock. */
  restingUntil: number
}

/** A charge that a store has decided. */
export interface DecidedCharge {
  readonly decision: QuotaDecision
  /** The charge as it was decided: the local fallback has lower limits. */
  readonly charge: QuotaCharge
  readonly store: QuotaStore
  /** Whether the local fallback decided instead of the configured store. */
  readonly isFallback: boolean
}

/** Milliseconds for which a store is not called again after a failure. */
const restMs = 1000

/** Milliseconds in which a refund must complete. */
const refundTimeoutMs = 1000

/** Charges a batch; undefined if the store is unavailable and batches are then admitted without charge. */
export const charge = Effect.fnUntraced(function* (settings: QuotaSettings, memory: QuotaMemory, charge: QuotaCharge) {
  const { store } = settings
  if ((yield* Clock.currentTimeMillis) >= memory.restingUntil) {
    const decision = yield* call(() => store.charge(charge), settings.timeoutMs)
    if (decision !== undefined) return { decision, charge, store, isFallback: false } satisfies DecidedCharge
    memory.restingUntil = (yield* Clock.currentTimeMillis) + restMs
  }
  if (settings.onStoreError === "allow") return undefined
  if (settings.onStoreError === "refuse") return yield* Effect.fail(storeUnavailable)
  return yield* chargeFallback(settings.insurance, charge)
})

const chargeFallback = Effect.fnUntraced(function* (
  { store, share }: QuotaSettings["insurance"],
  { demands, ...charge }: QuotaCharge,
) {
  const limited = demands.map((demand) => ({ ...demand, limit: Math.max(1, Math.floor(demand.limit * share)) }))
  const fallbackCharge = { ...charge, demands: limited }
  const decision = yield* Effect.promise(() => store.charge(fallbackCharge))
  const operations = Math.max(...demands.map(Gcra.countOf))
  // The caller has not used up its quota, the store is unavailable: the error must say so.
  if (!decision.granted || decision.admitted < operations) {
    yield* refund(
      store,
      QuotaCost.refundOf(fallbackCharge, decision.admitted, () => true),
    )
    return yield* Effect.fail(storeUnavailable)
  }
  return { decision, charge: fallbackCharge, store, isFallback: true } satisfies DecidedCharge
})

/** Returns the standings of some policies; undefined if the store is unavailable. */
export const peek = Effect.fnUntraced(function* (
  { store, timeoutMs }: QuotaSettings,
  memory: QuotaMemory,
  subject: string,
  rules: ReadonlyArray<QuotaRule>,
) {
  if ((yield* Clock.currentTimeMillis) < memory.restingUntil) return undefined
  return yield* call(() => store.peek(subject, rules), timeoutMs)
})

/** Refunds units. A refund that fails is not retried, because the units come back with time. */
export const refund = (store: QuotaStore, refund: QuotaRefund): Effect.Effect<void> =>
  refund.amounts.length === 0 ? Effect.void : Effect.asVoid(call(() => store.refund(refund), refundTimeoutMs))

// Undefined if the call failed or timed out.
const call = <A>(request: () => PromiseLike<A>, milliseconds: number): Effect.Effect<A | undefined> =>
  Effect.tryPromise(async () => request()).pipe(
    Effect.timeoutOrElse({ duration: milliseconds, orElse: () => Effect.succeed(undefined) }),
    Effect.catch(({ cause }) => Effect.as(Effect.logWarning("The quota store did not respond", cause), undefined)),
  )

const storeUnavailable = new BatchError({
  reason: new PolicyRefusal({
    code: "STORE_UNAVAILABLE",
    status: 503,
    detail: "The quota store is unavailable, so nothing was executed: retry later",
    retryAfter: 1,
  }),
})
