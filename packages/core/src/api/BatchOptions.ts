/** What a developer configures: every option with its default, checked once, when the batch is made. */
import * as Schema from "effect/Schema"
import type { Failure } from "../batch/Failure.ts"
import * as Limits from "../batch/Limits.ts"
import * as Plan from "../planning/Plan.ts"
import type { Strategy, StrategyOffer } from "../batch/Strategy.ts"
import * as Idempotency from "../idempotency/IdempotencyOptions.ts"
import type { IdempotencyOptions } from "../idempotency/IdempotencyOptions.ts"
import { AnyFunction, checker, withMethods } from "../options/OptionSchemas.ts"
import type { JobOptions } from "../jobs/JobOptions.ts"
import * as QuotaOptions from "../quota/QuotaOptions.ts"
import type { QuotaSettings } from "../quota/QuotaSettings.ts"
import type { IdempotencySettings } from "../idempotency/IdempotencySettings.ts"
import type { OnUnexpected } from "../engine/BatchEngine.ts"
import type { BatchPolicy } from "../execution/BatchPolicy.ts"
import type { UnitOfWork } from "../execution/UnitOfWork.ts"

/** How many commit groups run at once. */
export type Concurrency = "sequential" | "parallel" | number

/** What endpoints do, unless they are told otherwise. */
export interface BatchOptions<Request = unknown> {
  /** Each limit has a default; see `Limits`. */
  readonly limits?: Limits.LimitsOptions | undefined
  /** `sequential`, `parallel` (all at once) or a number of operations at once. Default 10. */
  readonly concurrency?: Concurrency | undefined
  /** What happens when operations fail: `partial` (default), `atomic`, or `{ stopAfter: n }`. */
  readonly strategy?: "partial" | "atomic" | { readonly stopAfter: number } | undefined
  /** What clients may ask for instead: with `"atomic": true` or `"stop_after": n` in the envelope. Default: nothing. */
  readonly clientStrategies?: ReadonlyArray<"partial" | "atomic" | "stop-after"> | undefined
  /** What can do several operations or none of them: needed by everything atomic. Its handle is what actions get as `tx`. */
  readonly unitOfWork?: UnitOfWork | undefined
  /**
   * Whether operations that stand alone run in transactions too: each is undone as a whole if it fails, and so many
   * share one transaction. Default: they do not.
   */
  readonly transactionSize?: number | undefined
  /** How retries are recognised. Default: they are not. Needs `tenant`, so that no caller sees what was stored for another. */
  readonly idempotency?: IdempotencyOptions | undefined
  /** How much callers may do in which time. Default: as much as they like. Without `tenant` all of them share one quota. */
  readonly quota?: QuotaOptions.QuotaOptions | undefined
  /** How batches run that outlive their requests; for all endpoints that are made together. Default: none do. */
  readonly jobs?: JobOptions | undefined
  /** Who is calling: captured before the batch, given to every operation and policy. */
  readonly tenant?: ((request: Request) => string | undefined | PromiseLike<string | undefined>) | undefined
  /** Turns what actions throw into failures; undefined leaves it an unexpected error, answered `INTERNAL`. */
  readonly mapError?: ((error: unknown) => Failure | undefined) | undefined
  /** Told of unexpected errors, which the client is shown nothing of. Default: they are logged to standard error. */
  readonly onUnexpected?: OnUnexpected | undefined
  /** Steps between planning and executing, in order. */
  readonly policies?: ReadonlyArray<BatchPolicy> | undefined
  /** Another way to plan batches. */
  readonly planner?: Plan.Planner | undefined
}

/** Options as they hold. */
export interface Settings {
  readonly limits: Limits.Limits
  readonly concurrency: number
  readonly strategy: StrategyOffer
  readonly unitOfWork: UnitOfWork | undefined
  readonly transactionSize: number | undefined
  readonly idempotency: IdempotencySettings | undefined
  readonly quota: QuotaSettings | undefined
  readonly tenant: ((request: never) => string | undefined | PromiseLike<string | undefined>) | undefined
  readonly mapError: ((error: unknown) => Failure | undefined) | undefined
  readonly onUnexpected: OnUnexpected | undefined
  readonly policies: ReadonlyArray<BatchPolicy>
  readonly planner: Plan.Planner
}

const strategies = ["partial", "atomic", "stop-after"] as const

const Options = Schema.Struct({
  limits: Schema.optional(Limits.LimitsOptions),
  concurrency: Schema.optional(
    Schema.Union([Schema.Literals(["sequential", "parallel"]), Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))]),
  ),
  strategy: Schema.optional(
    Schema.Union([
      Schema.Literals(["partial", "atomic"]),
      Schema.Struct({ stopAfter: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)) }),
    ]),
  ),
  clientStrategies: Schema.optional(Schema.Array(Schema.Literals(strategies))),
  unitOfWork: Schema.optional(withMethods("isTransient", "run")),
  transactionSize: Schema.optional(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))),
  idempotency: Schema.optional(Idempotency.Options),
  quota: Schema.optional(QuotaOptions.Options),
  // Checked where jobs are made.
  jobs: Schema.optional(Schema.Unknown),
  tenant: Schema.optional(AnyFunction),
  mapError: Schema.optional(AnyFunction),
  onUnexpected: Schema.optional(AnyFunction),
  policies: Schema.optional(Schema.Array(withMethods("admit"))),
  planner: Schema.optional(AnyFunction),
})

const check = checker("batch", Options)

/**
 * Checks options and fills in defaults; throws a `TypeError` that names what is wrong, for the start-up to fail with.
 */
export const resolveOptions = <Request>(
  options: BatchOptions<Request>,
  local = QuotaOptions.localStores(),
): Settings => {
  check(options)
  const standard = toStrategy(options.strategy ?? "partial")
  const choices = options.clientStrategies ?? []
  const { unitOfWork, transactionSize } = options
  if (unitOfWork === undefined) {
    if (standard._tag === "atomic" || choices.includes("atomic")) {
      throw new TypeError(`The strategy "atomic" needs a unit of work that can roll back: configure "unitOfWork"`)
    }
    if (transactionSize !== undefined)
      throw new TypeError(`"transactionSize" needs transactions: configure "unitOfWork"`)
  }
  return {
    limits: Limits.make(options.limits),
    concurrency: toNumber(options.concurrency ?? 10),
    strategy: { default: standard, choices },
    unitOfWork,
    transactionSize,
    idempotency: Idempotency.resolveOptions(options.idempotency, {
      hasTenant: options.tenant !== undefined,
      hasUnitOfWork: unitOfWork !== undefined,
    }),
    quota: QuotaOptions.resolveOptions(options.quota, local),
    tenant: options.tenant,
    mapError: options.mapError,
    onUnexpected: options.onUnexpected,
    policies: options.policies ?? [],
    planner: options.planner ?? Plan.make,
  }
}

const toStrategy = (strategy: NonNullable<BatchOptions["strategy"]>): Strategy =>
  typeof strategy === "string" ? { _tag: strategy } : { _tag: "stop-after", failures: strategy.stopAfter }

const toNumber = (concurrency: Concurrency): number => {
  if (concurrency === "sequential") return 1
  return concurrency === "parallel" ? Number.POSITIVE_INFINITY : concurrency
}
