/** Charges one batch, admits what fits, and gives back what never ran. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { BatchError } from "../batch/BatchError.ts"
import { BatchExceedsQuota, PolicyRefusal, QuotaExceeded } from "../batch/RefusalReason.ts"
import { failure } from "../batch/Failure.ts"
import * as Gcra from "./Gcra.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import { randomId } from "../platform/randomId.ts"
import type { QuotaCharge, QuotaDecision, QuotaDemand, QuotaRule, QuotaStanding } from "./QuotaCharge.ts"
import type { PlannedBatch } from "../execution/BatchPolicy.ts"
import { CurrentDigest } from "../platform/Digest.ts"
import * as QuotaCost from "./QuotaCost.ts"
import type { QuotaSettings } from "./QuotaSettings.ts"

/** The account of one caller, for one batch. */
export interface Quota {
  /** Counts the batch as such, whatever becomes of it. */
  readonly countEnvelope: Effect.Effect<void, BatchError>
  /**
   * Charges the operations that are to run. Those that do not fit get the result that says so, or the batch is refused.
   * When the scope closes, what was charged and never began is given back.
   */
  readonly charge: (
    planned: Pick<PlannedBatch, "batch" | "endpoint" | "tenant">,
  ) => Effect.Effect<void, BatchError, Scope.Scope>
  /** Notes operations whose handlers are called. */
  readonly began: (operations: ReadonlyArray<Operation>) => void
  /** How the caller stands: as the last charge left it, or else as the store says. Undefined where it does not answer. */
  readonly standings: Effect.Effect<ReadonlyArray<QuotaStanding> | undefined>
}

/** The account of a batch that is paid for already. */
export const paid: Quota = {
  countEnvelope: Effect.void,
  charge: () => Effect.void,
  began: () => {},
  standings: Effect.succeed(undefined),
}

/** Milliseconds in which a store that did not answer is not asked again. */
const restMs = 1000

/** What is remembered from batch to batch of one endpoint. */
export interface QuotaMemory {
  /** Until when the store is left alone, in milliseconds by the clock. */
  restingUntil: number
}

/** Opens the account of a caller. */
export const open = Effect.fnUntraced(function* (
  settings: QuotaSettings,
  memory: QuotaMemory,
  tenant: string | undefined,
) {
  const digest = yield* CurrentDigest
  const named = tenant === undefined ? "anybody" : `tenant:${tenant}`
  const subject = yield* Effect.promise(async () => digest(`multistatus quota 1:${named}`))
  const begun = new Set<Operation>()
  let known = new Map<string, QuotaStanding>()

  const note = (standings: ReadonlyArray<QuotaStanding>) => {
    known = new Map([...known, ...standings.map((standing) => [standing.policy, standing] as const)])
  }

  const ask = Effect.fnUntraced(function* (demands: ReadonlyArray<QuotaDemand>, minimum: number) {
    const charge: QuotaCharge = { subject, id: randomId(), minimum, demands }
    const now = yield* Clock.currentTimeMillis
    if (now >= memory.restingUntil) {
      const answer = yield* asked(() => settings.store.charge(charge), settings.timeoutMs)
      if (answer !== undefined) {
        note(answer.standings)
        return { decision: answer, store: settings.store, id: charge.id, demands }
      }
      memory.restingUntil = (yield* Clock.currentTimeMillis) + restMs
    }
    if (settings.onStoreError === "open") return undefined
    if (settings.onStoreError === "closed") return yield* Effect.fail(storeDown)
    const { store, share } = settings.insurance
    const shared = demands.map((demand) => ({ ...demand, limit: Math.max(1, Math.floor(demand.limit * share)) }))
    const decision = yield* Effect.promise(() => store.charge({ ...charge, demands: shared }))
    // It is the store that is down, which must not look as if the caller had used up the quota.
    if (!decision.granted || decision.admitted < totalOf(demands)) {
      yield* refundTo(store, charge.id, subject, shared, decision.admitted, () => true)
      return yield* Effect.fail(storeDown)
    }
    return { decision, store, id: charge.id, demands: shared }
  })

  // What clients are to wait for is that their batch fits, not that the whole limit is there again.
  const refuse = (decision: QuotaDecision) => {
    const { retryAfterMs } = decision
    const resetMs = retryAfterMs === "never" ? undefined : retryAfterMs
    note(decision.standings.map((standing) => (standing.violated && resetMs ? { ...standing, resetMs } : standing)))
    return Effect.fail(exceeded(decision))
  }

  const charge: Quota["charge"] = Effect.fnUntraced(function* ({ batch, endpoint, tenant }) {
    const due = batch.operations.filter(({ result, duplicateOf }) => result === undefined && duplicateOf === undefined)
    if (due.length === 0) return
    const demands = settings.policies.map((policy) => QuotaCost.demandOf(policy, { endpoint, tenant, operations: due }))
    const admits = settings.mode === "admit" && batch.strategy._tag !== "atomic"
    const minimum = admits ? 1 : due.length
    const most = Math.min(...demands.map((demand) => Gcra.fit(demand, demand.limit)))
    if (most < minimum) return yield* Effect.fail(exceeds(Math.max(0, most), due.length))
    const charged = yield* ask(demands, minimum)
    if (charged === undefined) return
    const { decision } = charged
    const isAnswered = batch.operations.some(({ result }) => result?.replayed === true)
    if (!decision.granted && !(admits && isAnswered)) return yield* refuse(decision)
    for (const operation of due.slice(decision.admitted)) operation.result = rateLimited(decision)
    if (!decision.granted) return
    const { store, id, demands: taken } = charged
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        const neverBegan = (position: number) => !begun.has(due[position]!)
        return Effect.map(refundTo(store, id, subject, taken, decision.admitted, neverBegan), (amounts) => {
          for (const { amount, ...rule } of amounts) {
            const standing = known.get(rule.policy)
            if (standing !== undefined) known.set(rule.policy, refunded(standing, rule, amount))
          }
        })
      }),
    )
  })

  const rules: ReadonlyArray<QuotaRule> = [
    ...settings.policies,
    ...(settings.envelopes === undefined ? [] : [settings.envelopes]),
  ].map(({ policy, limit, windowMs }) => ({ policy, limit, windowMs }))

  const quota: Quota = {
    countEnvelope:
      settings.envelopes === undefined
        ? Effect.void
        : Effect.suspend(() => ask([{ ...settings.envelopes!, base: 1000, runs: [] }], 0)).pipe(
            Effect.flatMap((charged) =>
              charged === undefined || charged.decision.granted ? Effect.void : refuse(charged.decision),
            ),
          ),
    charge,
    began: (operations) => operations.forEach((operation) => begun.add(operation)),
    standings: Effect.gen(function* () {
      const missing = rules.filter(({ policy }) => !known.has(policy))
      if (missing.length > 0 && (yield* Clock.currentTimeMillis) >= memory.restingUntil) {
        note((yield* asked(() => settings.store.peek(subject, missing), settings.timeoutMs)) ?? [])
      }
      const standings = rules.flatMap(({ policy }) => known.get(policy) ?? [])
      return standings.length === rules.length ? standings : undefined
    }),
  }
  return quota
})

// Undefined where there is no answer, whatever the reason.
const asked = <A>(ask: () => PromiseLike<A>, milliseconds: number): Effect.Effect<A | undefined> =>
  Effect.tryPromise(async () => ask()).pipe(
    Effect.timeoutOrElse({ duration: milliseconds, orElse: () => Effect.succeed(undefined) }),
    Effect.catch(({ cause }) => Effect.as(Effect.logWarning("The store of quotas does not answer", cause), undefined)),
  )

// What cannot be given back now comes back with time.
const refundTo = (
  store: QuotaSettings["store"],
  id: string,
  subject: string,
  demands: ReadonlyArray<QuotaDemand>,
  admitted: number,
  isUnused: (position: number) => boolean,
): Effect.Effect<ReadonlyArray<QuotaRule & { readonly amount: number }>> => {
  const unused = Array.from({ length: admitted }, (_, position) => position).filter(isUnused)
  if (unused.length === 0) return Effect.succeed([])
  const amounts = demands.map((demand) => ({
    policy: demand.policy,
    limit: demand.limit,
    windowMs: demand.windowMs,
    amount: unused.reduce(
      (sum, position) => sum + QuotaCost.costAt(demand, position),
      unused.length === admitted ? demand.base : 0,
    ),
  }))
  return Effect.as(
    asked(() => store.refund({ subject, id, amounts }), refundMs),
    amounts,
  )
}

const refundMs = 1000

const refunded = (standing: QuotaStanding, { limit, windowMs }: QuotaRule, amount: number): QuotaStanding => ({
  ...standing,
  remaining: Math.min(limit, standing.remaining + amount),
  resetMs: Math.max(0, standing.resetMs - Math.floor((amount * windowMs) / limit)),
})

const totalOf = (demands: ReadonlyArray<QuotaDemand>): number => Math.max(...demands.map(Gcra.countOf))

const seconds = (retryAfterMs: QuotaDecision["retryAfterMs"]): number =>
  retryAfterMs === "never" ? 1 : Math.max(1, Math.ceil(retryAfterMs / 1000))

// Callers that were refused together must not come back together.
const withJitter = (after: number): number => Math.ceil(after * (1 + Math.random() / 10))

const exceeded = ({ retryAfterMs, standings }: QuotaDecision): BatchError => {
  const fitsAfter = seconds(retryAfterMs)
  const violated = standings.filter((standing) => standing.violated).map(({ policy }) => policy)
  return new BatchError({ reason: new QuotaExceeded({ violated, fitsAfter, retryAfter: withJitter(fitsAfter) }) })
}

const exceeds = (limit: number, actual: number) => new BatchError({ reason: new BatchExceedsQuota({ limit, actual }) })

const rateLimited = ({ retryAfterMs }: QuotaDecision): OperationResult =>
  OperationResult.refused(
    failure("RATE_LIMITED", "Not run: the quota is used up", { retryable: true, retryAfter: seconds(retryAfterMs) }),
  )

const storeDown = new BatchError({
  reason: new PolicyRefusal({
    code: "STORE_UNAVAILABLE",
    status: 503,
    detail: "The store of quotas cannot be reached, so nothing was executed: try again",
    retryAfter: 1,
  }),
})
