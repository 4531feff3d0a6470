/** How an application configures quotas: every option with its default, checked at start-up. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { QuotaRule } from "./QuotaCharge.ts"
import type { CostFunction, CostModel, QuotaPolicy, QuotaSettings } from "./QuotaSettings.ts"
import type { QuotaStore } from "./QuotaStore.ts"
import { memoryQuotaStore } from "./memoryQuotaStore.ts"
import { AnyFunction, withMethods } from "../options/OptionSchemas.ts"

/** So many units in such a time. */
export interface RateOptions {
  /** Units at once, which come back evenly over the time. Up to three decimals. */
  readonly limit: number
  /** The time in which the whole limit comes back: `"1 minute"`, `"24 hours"`, or milliseconds. */
  readonly per: string | number
}

/** One policy of a quota. */
export interface QuotaPolicyOptions extends RateOptions {
  /** Told to clients: letters, digits, `.`, `_`, `-`, at most 64. */
  readonly name: string
  /**
   * What a batch costs, in units: `operations` (default), one for each; `batch`, one; `weighted`, 1 and 0.1 for each;
   * `{ base, perOperation }`; or a function of the batch, which answers a number, or one per operation.
   */
  readonly cost?:
    | "operations"
    | "batch"
    | "weighted"
    | { readonly base: number; readonly perOperation: number }
    | CostFunction
    | undefined
  /** Units that operations of single actions cost, where that is not what the others do. */
  readonly weights?: Readonly<Record<string, number>> | undefined
}

/** How callers are held to quotas. */
export interface QuotaOptions {
  /** Where the counts are kept. Default: in the memory of this process. */
  readonly store?: QuotaStore | undefined
  /** Operations at once, which come back over `per`: the short form of one policy of the name `ops`. */
  readonly operations?: number | undefined
  readonly per?: string | number | undefined
  /** Policies that all hold at once, each by a name of its own. */
  readonly policies?: ReadonlyArray<QuotaPolicyOptions> | undefined
  /** Counts every batch that is well-formed, replays and refusals included, against floods. Default: nothing does. */
  readonly batches?: RateOptions | undefined
  /**
   * Over quota, `reject` (default) refuses the whole batch; `admit` runs the operations that fit, in request order, and
   * answers `RATE_LIMITED` for the others.
   */
  readonly mode?: "reject" | "admit" | undefined
  /**
   * Where the store does not answer: `insured` (default), a limiter in this process decides; `open`, everything is
   * admitted; `closed`, batches are refused with 503.
   */
  readonly onStoreError?: "insured" | "open" | "closed" | undefined
  /** Which share of each limit this process has where `insured` decides: one by the number of processes. Default 0.5. */
  readonly insuredShare?: number | undefined
  /** Milliseconds in which the store has to answer. Default 1,000. */
  readonly timeoutMs?: number | undefined
  /** Which header fields tell clients how they stand: `draft-10` (default), `draft-11` with its new names, or `none`. */
  readonly headers?: "draft-10" | "draft-11" | "none" | undefined
  /** Whether `X-RateLimit-Limit`, `-Remaining` and `-Reset` are sent too. Default false. */
  readonly legacyHeaders?: boolean | undefined
}

const units = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const rate = { limit: Schema.Finite.check(Schema.isGreaterThan(0)), per: Schema.Union([Schema.String, Schema.Finite]) }
const name = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9._-]{1,64}$/))

const Policy = Schema.Struct({
  name,
  ...rate,
  cost: Schema.optional(
    Schema.Union([
      Schema.Literals(["operations", "batch", "weighted"]),
      Schema.Struct({ base: units, perOperation: units }),
      AnyFunction,
    ]),
  ),
  weights: Schema.optional(Schema.Record(Schema.String, units)),
})

/** What options have to be. */
export const Options = Schema.Struct({
  store: Schema.optional(withMethods("charge", "refund", "peek")),
  operations: Schema.optional(rate.limit),
  per: Schema.optional(rate.per),
  policies: Schema.optional(Schema.NonEmptyArray(Policy)),
  batches: Schema.optional(Schema.Struct(rate)),
  mode: Schema.optional(Schema.Literals(["reject", "admit"])),
  onStoreError: Schema.optional(Schema.Literals(["insured", "open", "closed"])),
  insuredShare: Schema.optional(Schema.Finite.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1))),
  timeoutMs: Schema.optional(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 60_000 }))),
  headers: Schema.optional(Schema.Literals(["draft-10", "draft-11", "none"])),
  legacyHeaders: Schema.optional(Schema.Boolean),
})

/** What counts where no store is configured, or where it does not answer: the same for all endpoints. */
export interface LocalQuotaStores {
  readonly standard: QuotaStore
  readonly insurance: QuotaStore
}

/** Makes local stores. */
export const localStores = (): LocalQuotaStores => ({ standard: memoryQuotaStore(), insurance: memoryQuotaStore() })

/** Fills in defaults; throws a `TypeError` that names what is wrong. */
export const resolveOptions = (
  options: QuotaOptions | undefined,
  local: LocalQuotaStores,
): QuotaSettings | undefined => {
  if (options === undefined) return undefined
  const policies = policiesOf(options).map(toPolicy)
  const envelopes = options.batches === undefined ? undefined : toRule({ name: "batches", ...options.batches })
  const names = [...policies, ...(envelopes === undefined ? [] : [envelopes])].map(({ policy }) => policy)
  const twice = names.find((policy, index) => names.indexOf(policy) !== index)
  if (twice !== undefined) throw new TypeError(`Two quota policies are named "${twice}": each needs a name of its own`)
  const { headers = "draft-10" } = options
  return {
    store: options.store ?? local.standard,
    policies,
    envelopes,
    mode: options.mode ?? "reject",
    onStoreError: options.onStoreError ?? "insured",
    insurance: { store: local.insurance, share: options.insuredShare ?? 0.5 },
    timeoutMs: options.timeoutMs ?? 1000,
    fields: { version: headers === "none" ? undefined : headers, legacy: options.legacyHeaders ?? false },
  }
}

const policiesOf = ({ operations, per, policies }: QuotaOptions): ReadonlyArray<QuotaPolicyOptions> => {
  const isShort = operations !== undefined || per !== undefined
  if (isShort && policies !== undefined) throw new TypeError(`"quota" takes "policies", or "operations" and "per"`)
  if (policies !== undefined) return policies
  if (operations === undefined || per === undefined) {
    throw new TypeError(`"quota" needs a limit: "operations" and "per", or "policies"`)
  }
  return [{ name: "ops", limit: operations, per }]
}

const toPolicy = (policy: QuotaPolicyOptions): QuotaPolicy => ({ ...toRule(policy), cost: toCost(policy) })

const toRule = ({ name: policy, limit, per }: RateOptions & { readonly name: string }): QuotaRule => {
  const window = Duration.fromInput(per as Duration.Input)
  const windowMs = Option.isSome(window) ? Duration.toMillis(window.value) : Number.NaN
  if (!Number.isSafeInteger(windowMs) || windowMs < 1) {
    throw new TypeError(
      `"per" of the quota policy "${policy}" must be a time such as "1 minute", or whole milliseconds`,
    )
  }
  return { policy, limit: milli(limit, `"limit" of the quota policy "${policy}"`), windowMs }
}

const toCost = ({ name: policy, cost = "operations", weights = {} }: QuotaPolicyOptions): CostModel => {
  const where = `of the quota policy "${policy}"`
  const perAction = new Map(
    Object.entries(weights).map(([action, weight]) => [action, milli(weight, `The weight of "${action}" ${where}`)]),
  )
  if (typeof cost === "function") {
    if (perAction.size > 0) throw new TypeError(`The cost function ${where} has to know the weights itself`)
    return { _tag: "custom", costOf: cost }
  }
  const { base, perOperation } = typeof cost === "string" ? models[cost] : cost
  return {
    _tag: "linear",
    base: milli(base, `"base" ${where}`),
    perOperation: milli(perOperation, `"perOperation" ${where}`),
    perAction,
  }
}

const models = {
  operations: { base: 0, perOperation: 1 },
  batch: { base: 1, perOperation: 0 },
  weighted: { base: 1, perOperation: 0.1 },
}

const milli = (value: number, what: string): number => {
  const thousands = Number((value * 1000).toFixed(6))
  if (Number.isSafeInteger(thousands)) return thousands
  throw new TypeError(`${what} has at most three decimals and is less than 2^53 / 1000, unlike ${value}`)
}
