/** The settings of jobs. */
import type { SettingsOf } from "../options/Option.ts"
import { settingsOf } from "../options/settingsOf.ts"
import { type JobOptions, jobOptions } from "./JobOptions.ts"

/** How batches run as jobs, with defaults filled in. */
export interface JobSettings extends SettingsOf<JobOptions, typeof jobOptions> {
  readonly atomicOperations: number
}

/**
 * Makes settings of options that were checked.
 *
 * **Details** `operations` is the limit of synchronous batches. Throws a `TypeError` if `exactlyOnce` is set without a unit
 * of work, or with a store that takes no part in its transactions.
 */
export const resolveOptions = (
  options: JobOptions,
  { hasUnitOfWork, operations }: { readonly hasUnitOfWork: boolean; readonly operations: number },
): JobSettings => {
  const settings = settingsOf(jobOptions, options)
  const { engine, url, exactlyOnce } = settings
  if (exactlyOnce && !(hasUnitOfWork && engine.store.isTransactional)) {
    throw new TypeError(
      `"jobs.exactlyOnce" needs a "unitOfWork" and a store of jobs in its database, such as that of sqlJobs(database, url)`,
    )
  }
  const atomicOperations = settings.atomicOperations ?? operations
  return { ...settings, url: url.replace(/\/+$/, ""), atomicOperations }
}
