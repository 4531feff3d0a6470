/** Quotas: they charge batches, admit the operations that fit, and refund those that never start. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { BatchError } from "../batch/BatchError.ts"
import { BatchExceedsQuota, QuotaExceeded } from "../batch/RefusalReason.ts"
import { failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { PlannedBatch } from "../execution/BatchPolicy.ts"
import { checkOptions } from "../options/checkOptions.ts"
import { CurrentDigest } from "../platform/Digest.ts"
import { randomId } from "../platform/randomId.ts"
import * as Gcra from "./Gcra.ts"
import type { QuotaDecision, QuotaDemand, QuotaRule, QuotaStanding } from "./QuotaCharge.ts"
import * as QuotaCost from "./QuotaCost.ts"
import { type QuotaOptions, quotaOptions } from "./QuotaOptions.ts"
import { localStores, type QuotaSettings, resolveOptions } from "./QuotaSettings.ts"
import * as QuotaStoreClient from "./QuotaStoreClient.ts"
import { QuotaStore } from "./QuotaStoreService.ts"
import * as RateLimitFields from "./RateLimitFields.ts"

/** The quota of one caller, for one batch. */
export interface BatchQuota {
  /** Charges the batch under the policy that counts every batch, whatever happens to it. */
  readonly countEnvelope: Effect.Effect<void, BatchError>
  /**
   * Charges the operations that are about to run. Operations that do not fit get the failure `RATE_LIMITED`, or the batch
   * is refused. When the scope closes, operations that were charged and never started are refunded.
   */
  readonly charge: (
    planned: Pick<PlannedBatch, "batch" | "endpoint" | "tenant">,
  ) => Effect.Effect<void, BatchError, Scope.Scope>
  /** Marks operations as started: they are not refunded. */
  readonly onStart: (operations: ReadonlyArray<Operation>) => void
  /** The standings after the last charge, or else from the store; undefined if the store is unavailable. */
  readonly standings: Effect.Effect<ReadonlyArray<QuotaStanding> | undefined>
}

/** Holds callers to quotas. */
export class Quota extends Context.Service<
  Quota,
  {
    /** What happens to a batch over quota. */
    readonly mode: QuotaSettings["mode"]
    /** The policies that the endpoint publishes. */
    readonly rules: ReadonlyArray<QuotaRule>
    /** Opens the quota of a caller for one batch. Nothing is charged yet. */
    readonly open: (tenant: string | undefined) => Effect.Effect<BatchQuota>
    /** Opens the quota of a caller for operations of a job: they are charged as a whole, and are not counted as a batch. */
    readonly openJob: (tenant: string | undefined) => Effect.Effect<BatchQuota>
    /** Returns the header fields for standings. */
    readonly fields: (standings: ReadonlyArray<QuotaStanding>) => Readonly<Record<string, string>>
  }
>()("@multistatus/core/Quota") {
  /** Counts in the store of the context. Throws a `TypeError` that names every wrong option. */
  static readonly layer = (options: Omit<QuotaOptions, "store">): Layer.Layer<Quota, never, QuotaStore> => {
    checkOptions(quotaOptions, options)
    return Quota.layerFrom(resolveOptions(options, localStores()))
  }

  /** Counts as settings say that were resolved, in the store of the context. */
  static readonly layerFrom = (settings: Omit<QuotaSettings, "store">): Layer.Layer<Quota, never, QuotaStore> =>
    Layer.effect(
      Quota,
      Effect.map(QuotaStore, (store) => make({ ...settings, store })),
    )
}

const make = (settings: QuotaSettings): Quota["Service"] => {
  const memory: QuotaStoreClient.QuotaMemory = { restingUntil: 0 }
  const ofJobs: QuotaSettings = { ...settings, mode: "reject", envelopes: undefined }
  return {
    mode: settings.mode,
    rules: RateLimitFields.rulesOf(settings),
    open: (tenant) => open(settings, memory, tenant),
    openJob: (tenant) => open(ofJobs, memory, tenant),
    fields: (standings) => RateLimitFields.write(settings, standings),
  }
}

/** The quota of a batch that is already paid for: it charges nothing. */
export const paid: BatchQuota = {
  countEnvelope: Effect.void,
  charge: () => Effect.void,
  onStart: () => {},
  standings: Effect.succeed(undefined),
}

const open = Effect.fnUntraced(function* (
  settings: QuotaSettings,
  memory: QuotaStoreClient.QuotaMemory,
  tenant: string | undefined,
) {
  const digest = yield* CurrentDigest
  const caller = tenant === undefined ? "anybody" : `tenant:${tenant}`
  const subject = yield* Effect.promise(async () => digest(`multistatus quota 1:${caller}`))
  const started = new Set<Operation>()
  const latest = new Map<string, QuotaStanding>()

  const remember = (standings: ReadonlyArray<QuotaStanding>) => {
    for (const standing of standings) latest.set(standing.policy, standing)
  }

  const chargeStore = Effect.fnUntraced(function* (demands: ReadonlyArray<QuotaDemand>, minimum: number) {
    const charge = { subject, id: randomId(), minimum, demands }
    const charged = yield* QuotaStoreClient.charge(settings, memory, charge)
    if (charged?.isFallback === false) remember(charged.decision.standings)
    return charged
  })

  const refuse = (decision: QuotaDecision) => {
    const { retryAfterMs } = decision
    // A refused client waits until its batch fits, not until the whole limit is available.
    const resetMs = retryAfterMs === "never" ? undefined : retryAfterMs
    remember(decision.standings.map((standing) => (standing.violated && resetMs ? { ...standing, resetMs } : standing)))
    return Effect.fail(quotaExceeded(decision))
  }

  const charge: BatchQuota["charge"] = Effect.fnUntraced(function* ({ batch, endpoint, tenant }) {
    const due = batch.operations.filter(({ result, duplicateOf }) => result === undefined && duplicateOf === undefined)
    if (due.length === 0) return
    const demands = settings.policies.map((policy) => QuotaCost.demandOf(policy, { endpoint, tenant, operations: due }))
    const admitsPart = settings.mode === "admit" && batch.strategy._tag !== "atomic"
    const minimum = admitsPart ? 1 : due.length
    const maximum = Math.min(...demands.map((demand) => Gcra.fit(demand, demand.limit)))
    if (maximum < minimum) return yield* Effect.fail(batchExceedsQuota(Math.max(0, maximum), due.length))
    const charged = yield* chargeStore(demands, minimum)
    if (charged === undefined) return
    const { decision, store } = charged
    const hasReplays = batch.operations.some(({ result }) => result?.replayed === true)
    if (!decision.granted && !(admitsPart && hasReplays)) return yield* refuse(decision)
    for (const operation of due.slice(decision.admitted)) operation.result = rateLimited(decision)
    if (!decision.granted) return
    const refundUnstarted = Effect.suspend(() => {
      const isUnstarted = (position: number) => !started.has(due[position]!)
      const refund = QuotaCost.refundOf(charged.charge, decision.admitted, isUnstarted)
      return Effect.map(QuotaStoreClient.refund(store, refund), () => {
        for (const { amount, ...rule } of refund.amounts) {
          const standing = latest.get(rule.policy)
          if (standing !== undefined) latest.set(rule.policy, afterRefund(standing, rule, amount))
        }
      })
    })
    yield* Effect.addFinalizer(() => refundUnstarted)
  })

  const countEnvelope = (rule: QuotaRule) =>
    Effect.flatMap(chargeStore([{ ...rule, base: 1000, runs: [] }], 0), (charged) =>
      charged === undefined || charged.decision.granted ? Effect.void : refuse(charged.decision),
    )

  const rules = RateLimitFields.rulesOf(settings).map(({ policy, limit, windowMs }) => ({ policy, limit, windowMs }))

  const standings = Effect.gen(function* () {
    const missing = rules.filter(({ policy }) => !latest.has(policy))
    if (missing.length > 0) remember((yield* QuotaStoreClient.peek(settings, memory, subject, missing)) ?? [])
    const known = rules.flatMap(({ policy }) => latest.get(policy) ?? [])
    return known.length === rules.length ? known : undefined
  })

  const quota: BatchQuota = {
    countEnvelope: settings.envelopes === undefined ? Effect.void : countEnvelope(settings.envelopes),
    charge,
    onStart: (operations) => operations.forEach((operation) => started.add(operation)),
    standings,
  }
  return quota
})

const afterRefund = (standing: QuotaStanding, { limit, windowMs }: QuotaRule, amount: number): QuotaStanding => ({
  ...standing,
  remaining: Math.min(limit, standing.remaining + amount),
  resetMs: Math.max(0, standing.resetMs - Math.floor((amount * windowMs) / limit)),
})

const secondsOf = (retryAfterMs: QuotaDecision["retryAfterMs"]): number =>
  retryAfterMs === "never" ? 1 : Math.max(1, Math.ceil(retryAfterMs / 1000))

// Jitter keeps callers that were refused at the same time from retrying at the same time.
const withJitter = (seconds: number): number => Math.ceil(seconds * (1 + Math.random() / 10))

const quotaExceeded = ({ retryAfterMs, standings }: QuotaDecision): BatchError => {
  const fitsAfter = secondsOf(retryAfterMs)
  const violated = standings.filter((standing) => standing.violated).map(({ policy }) => policy)
  return new BatchError({ reason: new QuotaExceeded({ violated, fitsAfter, retryAfter: withJitter(fitsAfter) }) })
}

const batchExceedsQuota = (limit: number, actual: number): BatchError =>
  new BatchError({ reason: new BatchExceedsQuota({ limit, actual }) })

const rateLimited = ({ retryAfterMs }: QuotaDecision): OperationResult =>
  OperationResult.refused(
    failure("RATE_LIMITED", "Not run: the quota is used up", { retryable: true, retryAfter: secondsOf(retryAfterMs) }),
  )
