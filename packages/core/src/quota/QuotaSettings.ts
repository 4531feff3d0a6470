/** The settings of quotas. */
import { toMillis } from "../options/DurationInput.ts"
import type { SettingsOf } from "../options/Option.ts"
import { settingsOf } from "../options/settingsOf.ts"
import { memoryQuotaStore } from "./memoryQuotaStore.ts"
import type { QuotaRule } from "./QuotaCharge.ts"
import {
  type CostFunction,
  type QuotaOptions,
  quotaOptions,
  type QuotaPolicyOptions,
  type RateOptions,
} from "./QuotaOptions.ts"
import type { QuotaStore } from "./QuotaStore.ts"

/** What batches cost under one policy, in thousandths of a unit. */
export type CostModel =
  | {
      readonly _tag: "linear"
      readonly base: number
      readonly perOperation: number
      /** Cost of one operation by action; other actions cost `perOperation`. */
      readonly perAction: ReadonlyMap<string, number>
    }
  | { readonly _tag: "custom"; readonly costOf: CostFunction }

/** A policy with its cost model. */
export interface QuotaPolicy extends QuotaRule {
  readonly cost: CostModel
}

/** How an endpoint enforces a quota, with defaults filled in. */
export interface QuotaSettings extends Pick<
  SettingsOf<QuotaOptions, typeof quotaOptions>,
  "mode" | "onStoreError" | "timeoutMs"
> {
  readonly store: QuotaStore
  readonly policies: ReadonlyArray<QuotaPolicy>
  /** Limits the rate of batches; undefined if no rule does. */
  readonly envelopes: QuotaRule | undefined
  /** The store that decides while `onStoreError` is `insure`, and its share of each limit. */
  readonly insurance: { readonly store: QuotaStore; readonly share: number }
  /** The header fields that responses carry. */
  readonly fields: {
    /** The draft that names the parameters; undefined for no `RateLimit` fields. */
    readonly version: "draft-10" | "draft-11" | undefined
    /** Whether responses carry `X-RateLimit-*` too. */
    readonly legacy: boolean
  }
}

/** Stores in the memory of this process, which all endpoints of an application share. */
export interface LocalQuotaStores {
  /** Counts if no store is configured. */
  readonly default: QuotaStore
  /** Counts while the configured store does not answer. */
  readonly insurance: QuotaStore
}

/** Makes stores in the memory of this process. */
export const localStores = (): LocalQuotaStores => ({ default: memoryQuotaStore(), insurance: memoryQuotaStore() })

/** Makes settings of options that were checked; throws a `TypeError` if options do not go together. */
export const resolveOptions = (options: QuotaOptions, local: LocalQuotaStores): QuotaSettings => {
  const { mode, onStoreError, timeoutMs, ...settings } = settingsOf(quotaOptions, options)
  const policies = policiesOf(options).map((policy): QuotaPolicy => ({
    ...toRule(policy.name, policy),
    cost: toCost(policy),
  }))
  const envelopes = settings.batches && toRule("batches", settings.batches)
  const names = [...policies, ...(envelopes === undefined ? [] : [envelopes])].map(({ policy }) => policy)
  const duplicate = names.find((name, index) => names.indexOf(name) !== index)
  if (duplicate !== undefined) {
    throw new TypeError(`Two policies of "quota" have the name "${duplicate}". Give each policy a name of its own`)
  }
  const { headers, insuredShare: share, legacyHeaders: legacy } = settings
  return {
    store: settings.store ?? local.default,
    policies,
    envelopes,
    mode,
    onStoreError,
    timeoutMs,
    insurance: { store: local.insurance, share },
    fields: { version: headers === "none" ? undefined : headers, legacy },
  }
}

const policiesOf = ({ operations, per, policies }: QuotaOptions): ReadonlyArray<QuotaPolicyOptions> => {
  const hasShortForm = operations !== undefined || per !== undefined
  if (hasShortForm && policies !== undefined) {
    throw new TypeError(`"quota" takes either "policies", or "operations" and "per", not both`)
  }
  if (policies !== undefined) return policies
  if (operations === undefined || per === undefined) {
    throw new TypeError(`"quota" needs a limit: set "operations" and "per", or "policies"`)
  }
  return [{ name: "ops", limit: operations, per }]
}

const toRule = (policy: string, { limit, per }: RateOptions): QuotaRule => ({
  policy,
  limit: toThousandths(limit),
  windowMs: toMillis(per),
})

const toCost = ({ name, cost = "operations", weights = {} }: QuotaPolicyOptions): CostModel => {
  const perAction = new Map(Object.entries(weights).map(([action, weight]) => [action, toThousandths(weight)]))
  if (typeof cost === "function") {
    if (perAction.size === 0) return { _tag: "custom", costOf: cost }
    throw new TypeError(
      `The policy "${name}" of "quota" has a cost function and "weights". Let the function apply the weights`,
    )
  }
  const { base, perOperation } = typeof cost === "string" ? costs[cost] : cost
  return { _tag: "linear", base: toThousandths(base), perOperation: toThousandths(perOperation), perAction }
}

const costs = {
  operations: { base: 0, perOperation: 1 },
  batch: { base: 1, perOperation: 0 },
  weighted: { base: 1, perOperation: 0.1 },
}

// The product of two binary fractions may be off by a last digit.
const toThousandths = (units: number): number => Number((units * 1000).toFixed(6))
