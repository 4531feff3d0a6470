/** Options that all endpoints share. */
import * as Schema from "effect/Schema"
import type { Failure } from "../batch/Failure.ts"
import { type LimitsOptions, limitsOptions } from "../batch/Limits.ts"
import type { OnUnexpected } from "../engine/BatchEngine.ts"
import type { BatchPolicy } from "../execution/BatchPolicy.ts"
import type { UnitOfWork } from "../execution/UnitOfWork.ts"
import type { UnknownMembers } from "../formats/UnknownMember.ts"
import { type IdempotencyOptions, idempotencyOptions } from "../idempotency/IdempotencyOptions.ts"
import { type JobOptions, jobOptions } from "../jobs/JobOptions.ts"
import type { OptionGroup, OptionType } from "../options/Option.ts"
import {
  anyFunction,
  either,
  group,
  isMethod,
  isObject,
  listOf,
  objectWith,
  oneOf,
  wholeNumber,
} from "../options/OptionTypes.ts"
import * as Plan from "../planning/Plan.ts"
import { type QuotaOptions, quotaOptions } from "../quota/QuotaOptions.ts"

/** How many commit groups of a batch run at once. */
export type Concurrency = "sequential" | "parallel" | number

/** Options that all endpoints share, and that an endpoint may override. */
export interface BatchOptions<Request = unknown> {
  /** Limits of size, time and concurrency. Default: each limit has its own. */
  readonly limits?: LimitsOptions | undefined
  /** Number of operations of a batch that run at once: `sequential` means one, `parallel` all. Default 10. */
  readonly concurrency?: Concurrency | undefined
  /**
   * What happens to a member that the endpoint does not know: `refuse` answers `UNKNOWN_MEMBER`, for the batch or for the one
   * operation that has it; `ignore` drops it. Default `"refuse"`.
   */
  readonly unknownMembers?: UnknownMembers | undefined
  /**
   * What happens when an operation fails: `partial` runs the others, `atomic` rolls all of them back, and
   * `{ stopAfter: n }` skips the rest after n failures. Default `"partial"`.
   */
  readonly strategy?: "partial" | "atomic" | { readonly stopAfter: number } | undefined
  /** Other strategies that clients may ask for, with `"atomic": true` or `"stop_after": n` in the envelope. Default `[]`. */
  readonly clientStrategies?: ReadonlyArray<"partial" | "atomic" | "stop-after"> | undefined
  /** Opens the transactions of atomic batches, whose handle actions get as `tx`; `sqlUnitOfWork(db)` makes one. Default none. */
  readonly unitOfWork?: UnitOfWork | undefined
  /**
   * Number of operations that share one transaction in batches that are not atomic; each is rolled back alone if it fails.
   * Needs a `unitOfWork`. Default: they run without transactions.
   */
  readonly transactionSize?: number | undefined
  /** How retries are recognised, so that completed operations do not run again; needs `tenant`. Default: they are not. */
  readonly idempotency?: IdempotencyOptions | undefined
  /** How much each tenant may do in which time; without `tenant`, all callers share one quota. Default: there is no quota. */
  readonly quota?: QuotaOptions | undefined
  /** How batches run as jobs, which outlive their requests; for all endpoints together. Default: there are no jobs. */
  readonly jobs?: JobOptions | undefined
  /** Returns the tenant of a request. Actions, policies, idempotency keys and quotas use it. Default: there are no tenants. */
  readonly tenant?: ((request: Request) => string | undefined | PromiseLike<string | undefined>) | undefined
  /**
   * Turns an error that an action throws into a failure. For undefined, the error is unexpected and answered `INTERNAL`.
   * Default: every error is unexpected.
   */
  readonly mapError?: ((error: unknown) => Failure | undefined) | undefined
  /** Called with each unexpected error, which clients never see. Default: the error is logged to standard error. */
  readonly onUnexpected?: OnUnexpected | undefined
  /** Steps between planning and execution, in order, which can refuse a batch or single operations. Default `[]`. */
  readonly policies?: ReadonlyArray<BatchPolicy> | undefined
  /** Plans in which order and in which groups operations run. Default: the built-in planner. */
  readonly planner?: Plan.Planner | undefined
}

const stopAfter: OptionType<{ readonly stopAfter: number }> = {
  schema: Schema.Struct({ stopAfter: wholeNumber().schema }),
  name: "{ stopAfter: number }",
  expected: "{ stopAfter: a whole number of at least 1 }",
}

// Methods of a database of Kysely, or of a connection of pg, mysql2 or a driver of SQLite.
const databaseMethods = ["selectFrom", "query", "execute", "prepare"]

const isDatabase = (value: unknown): boolean =>
  isObject(value) && (databaseMethods.some((method) => isMethod(value, method)) || isDatabase(value["db"]))

const unitOfWorkHint = (value: unknown) => (isDatabase(value) ? "Use sqlUnitOfWork(db)" : undefined)

/** Definitions of the options that all endpoints share. */
export const batchOptions = {
  limits: { type: group<LimitsOptions>(limitsOptions), defaultText: "each limit has its own", page: "limits.md" },
  concurrency: {
    type: either(oneOf("sequential", "parallel"), wholeNumber()),
    default: 10,
    unit: "operations",
    page: "limits.md",
  },
  unknownMembers: { type: oneOf("refuse", "ignore"), default: "refuse", page: "endpoints.md" },
  strategy: { type: either(oneOf("partial", "atomic"), stopAfter), default: "partial", page: "strategies.md" },
  clientStrategies: {
    type: listOf(oneOf("partial", "atomic", "stop-after"), `a list of "partial", "atomic" and "stop-after"`),
    default: [],
    page: "strategies.md",
  },
  unitOfWork: { type: objectWith("UnitOfWork", ["isTransient", "run"], unitOfWorkHint), page: "strategies.md" },
  transactionSize: {
    type: wholeNumber(),
    defaultText: "they run without transactions",
    unit: "operations",
    page: "strategies.md",
  },
  idempotency: {
    type: group<IdempotencyOptions>(idempotencyOptions),
    defaultText: "they are not",
    page: "idempotency.md",
  },
  quota: { type: group<QuotaOptions>(quotaOptions), defaultText: "there is no quota", page: "quotas.md" },
  jobs: { type: group<JobOptions>(jobOptions), defaultText: "there are no jobs", page: "jobs.md" },
  tenant: { type: anyFunction(), defaultText: "there are no tenants", page: "security.md" },
  mapError: { type: anyFunction(), defaultText: "every error is unexpected", page: "actions.md" },
  onUnexpected: { type: anyFunction(), defaultText: "the error is logged to standard error", page: "actions.md" },
  policies: {
    type: listOf(
      objectWith<BatchPolicy>("BatchPolicy", ["admit"]),
      "a list of policies, objects with the method admit",
    ),
    default: [],
    page: "policies.md",
  },
  planner: { type: anyFunction(), default: Plan.make, defaultText: "the built-in planner", page: "policies.md" },
} satisfies OptionGroup<BatchOptions>
