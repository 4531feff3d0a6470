/** Options of quotas. */
import * as Schema from "effect/Schema"
import type { Operation } from "../batch/Operation.ts"
import { duration, type DurationInput } from "../options/DurationInput.ts"
import type { OptionGroup, OptionType } from "../options/Option.ts"
import {
  anyFunction,
  either,
  flag,
  group,
  listOfGroups,
  numberAbove,
  objectWith,
  oneOf,
  text,
} from "../options/OptionTypes.ts"
import type { QuotaStore } from "./QuotaStore.ts"

/** The part of a batch that a quota charges for. It holds no replays and no operations that were refused. */
export interface CostedBatch {
  readonly endpoint: string
  readonly tenant: string | undefined
  readonly operations: ReadonlyArray<Pick<Operation, "index" | "action" | "id">>
}

/** Returns the units that a batch costs: one number for the batch, or one number per operation, in order. */
export type CostFunction = (batch: CostedBatch) => number | ReadonlyArray<number>

/** A rate: units over a duration. */
export interface RateOptions {
  /** Number of units that are available at once and come back evenly over `per`; at most three decimals. Required. */
  readonly limit: number
  /** The duration in which all units come back. Required. */
  readonly per: DurationInput
}

/** One policy of a quota. */
export interface QuotaPolicyOptions extends RateOptions {
  /** Name of the policy, which clients see; up to 64 letters, digits, `.`, `_` and `-`. Required. */
  readonly name: string
  /**
   * Units that a batch costs: `operations` charges 1 per operation, `batch` 1 per batch, `weighted` 1 per batch and 0.1
   * per operation; otherwise `{ base, perOperation }` or a function of the batch. Default `"operations"`.
   */
  readonly cost?:
    | "operations"
    | "batch"
    | "weighted"
    | { readonly base: number; readonly perOperation: number }
    | CostFunction
    | undefined
  /** Units that one operation of an action costs, by action; other actions cost as `cost` says. Default none. */
  readonly weights?: Readonly<Record<string, number>> | undefined
}

/** How much each tenant may do in which time. */
export interface QuotaOptions {
  /** The store of the counts. Default: the memory of this process. */
  readonly store?: QuotaStore | undefined
  /** Number of operations that are available at once and come back evenly over `per`. Default none. */
  readonly operations?: number | undefined
  /** The duration in which all `operations` come back. Default none. */
  readonly per?: DurationInput | undefined
  /** Several policies that all apply, in place of `operations` and `per`. Default none. */
  readonly policies?: ReadonlyArray<QuotaPolicyOptions> | undefined
  /** Limits the rate of well-formed batches, replayed and refused ones included. Default none. */
  readonly batches?: RateOptions | undefined
  /**
   * What happens to a batch over quota: `reject` refuses all of it; `admit` runs the operations that fit, in request
   * order, and answers the others `RATE_LIMITED`. Default `"reject"`.
   */
  readonly mode?: "reject" | "admit" | undefined
  /**
   * What happens to a batch while the store does not answer: `insure` lets a limiter in this process decide, `allow`
   * runs the batch, `refuse` answers 503. Default `"insure"`.
   */
  readonly onStoreError?: "insure" | "allow" | "refuse" | undefined
  /** Share of each limit that this process may use while `insure` applies; best one divided by the number of processes. Default 0.5. */
  readonly insuredShare?: number | undefined
  /** Maximum time that the store has to answer; at most one minute. Default `"1 second"`. */
  readonly timeout?: DurationInput | undefined
  /** Which version of the `RateLimit` header fields responses carry. Default `"draft-10"`. */
  readonly headers?: "draft-10" | "draft-11" | "none" | undefined
  /** Whether responses also carry `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`. Default `false`. */
  readonly legacyHeaders?: boolean | undefined
}

const page = "quotas.md"

// A quota counts thousandths of units.
const hasThreeDecimals = Schema.makeFilter((value: number) => Number.isSafeInteger(Number((value * 1000).toFixed(6))))

const limit: OptionType<number> = {
  ...numberAbove(0),
  schema: Schema.Finite.check(Schema.isGreaterThan(0), hasThreeDecimals),
  expected: "a number greater than 0 with at most three decimals",
}

const units = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0), hasThreeDecimals)

const linearCost: OptionType<{ readonly base: number; readonly perOperation: number }> = {
  schema: Schema.Struct({ base: units, perOperation: units }),
  name: "{ base, perOperation }",
  expected: "{ base, perOperation } with numbers of at least 0 and at most three decimals",
}

const weights: OptionType<Readonly<Record<string, number>>> = {
  schema: Schema.Record(Schema.String, units),
  name: "object of numbers",
  expected: "an object of numbers of at least 0 with at most three decimals",
}

const per = duration({ minimum: 1000, maximum: Number.MAX_SAFE_INTEGER })

/** Definitions of the options of a rate. */
export const rateOptions = {
  limit: { type: limit, required: true, unit: "units", page },
  per: { type: per, required: true, page },
} satisfies OptionGroup<RateOptions>

/** Definitions of the options of a policy. */
export const quotaPolicyOptions = {
  name: {
    type: text(`a name of 1 to 64 letters, digits, ".", "_" and "-"`, /^[A-Za-z0-9._-]{1,64}$/),
    required: true,
    page,
  },
  ...rateOptions,
  cost: {
    type: either(either(oneOf("operations", "batch", "weighted"), linearCost), anyFunction<CostFunction>()),
    default: "operations",
    unit: "units",
    page,
  },
  weights: { type: weights, unit: "units", page },
} satisfies OptionGroup<QuotaPolicyOptions>

/** Definitions of the options of a quota. */
export const quotaOptions = {
  store: {
    type: objectWith("QuotaStore", ["charge", "refund", "peek"]),
    defaultText: "the memory of this process",
    page,
  },
  operations: { type: limit, unit: "operations", page },
  per: { type: per, page },
  policies: { type: listOfGroups<QuotaPolicyOptions>(quotaPolicyOptions), page },
  batches: { type: group<RateOptions>(rateOptions), page },
  mode: { type: oneOf("reject", "admit"), default: "reject", page },
  onStoreError: { type: oneOf("insure", "allow", "refuse"), default: "insure", page },
  insuredShare: { type: numberAbove(0, 1), default: 0.5, page },
  timeout: { type: duration({ maximum: 60_000 }), default: "1 second", page },
  headers: { type: oneOf("draft-10", "draft-11", "none"), default: "draft-10", page },
  legacyHeaders: { type: flag, default: false, page },
} satisfies OptionGroup<QuotaOptions>
