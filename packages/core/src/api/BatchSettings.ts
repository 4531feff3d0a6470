/** The settings of an endpoint. */
import type { Strategy, StrategyOffer } from "../batch/Strategy.ts"
import * as Limits from "../batch/Limits.ts"
import * as IdempotencySettings from "../idempotency/IdempotencySettings.ts"
import { checkOptions } from "../options/checkOptions.ts"
import type { SettingsOf } from "../options/Option.ts"
import { settingsOf } from "../options/settingsOf.ts"
import * as QuotaSettings from "../quota/QuotaSettings.ts"
import { type BatchOptions, batchOptions, type Concurrency } from "./BatchOptions.ts"

/** How an endpoint runs its batches, with defaults filled in. */
export interface BatchSettings extends Pick<
  SettingsOf<BatchOptions, typeof batchOptions>,
  "unknownMembers" | "unitOfWork" | "transactionSize" | "mapError" | "onUnexpected" | "policies" | "planner"
> {
  readonly limits: Limits.Limits
  /** Number of commit groups that run at once; infinite for all of them. */
  readonly concurrency: number
  readonly strategy: StrategyOffer
  readonly idempotency: IdempotencySettings.IdempotencySettings | undefined
  readonly quota: QuotaSettings.QuotaSettings | undefined
  readonly tenant: ((request: never) => string | undefined | PromiseLike<string | undefined>) | undefined
}

/**
 * Checks options and makes settings of them.
 *
 * **Details** Throws a `TypeError` that names what is wrong, at start-up.
 */
export const resolveOptions = <Request>(
  options: BatchOptions<Request>,
  quotaStores = QuotaSettings.localStores(),
): BatchSettings => {
  checkOptions(batchOptions, options)
  return toSettings(options, quotaStores)
}

/** Makes settings of options that were checked; throws a `TypeError` if an option needs another one that is missing. */
export const toSettings = <Request>(
  options: BatchOptions<Request>,
  quotaStores: QuotaSettings.LocalQuotaStores,
): BatchSettings => {
  const { tenant } = options
  const {
    limits,
    concurrency,
    strategy,
    clientStrategies,
    idempotency,
    quota,
    jobs: _,
    ...settings
  } = settingsOf(batchOptions, options as BatchOptions)
  const { unitOfWork, transactionSize } = settings
  if (unitOfWork === undefined) {
    if (strategy === "atomic" || clientStrategies.includes("atomic")) {
      throw new TypeError(
        `The strategy "atomic" needs a unit of work. Set "unitOfWork", for example to sqlUnitOfWork(db)`,
      )
    }
    if (transactionSize !== undefined) {
      throw new TypeError(`"transactionSize" needs transactions. Set "unitOfWork", for example to sqlUnitOfWork(db)`)
    }
  }
  const dependencies = { hasTenant: tenant !== undefined, hasUnitOfWork: unitOfWork !== undefined }
  return {
    ...settings,
    tenant,
    limits: Limits.make(limits),
    concurrency: toNumber(concurrency),
    strategy: { default: toStrategy(strategy), choices: clientStrategies },
    idempotency: idempotency && IdempotencySettings.resolveOptions(idempotency, dependencies),
    quota: quota && QuotaSettings.resolveOptions(quota, quotaStores),
  }
}

const toStrategy = (strategy: SettingsOf<BatchOptions, typeof batchOptions>["strategy"]): Strategy =>
  typeof strategy === "string" ? { _tag: strategy } : { _tag: "stop-after", failures: strategy.stopAfter }

const toNumber = (concurrency: Concurrency): number => {
  if (concurrency === "sequential") return 1
  return concurrency === "parallel" ? Number.POSITIVE_INFINITY : concurrency
}
