/** Limits of a batch. Each has a default or is off, is checked at start-up, and is published by `describe`. */
import { duration, type DurationInput } from "../options/DurationInput.ts"
import type { OptionGroup, SettingsOf } from "../options/Option.ts"
import { wholeNumber } from "../options/OptionTypes.ts"
import { settingsOf } from "../options/settingsOf.ts"

/** Limits as an application configures them. */
export interface LimitsOptions {
  /** Maximum number of operations in a batch. Default 1,000. */
  readonly operations?: number | undefined
  /** Maximum size of a request body, as received. Default 10 MiB. */
  readonly bodyBytes?: number | undefined
  /** Maximum size of one operation as JSON; a larger operation fails alone. Default 1 MiB. */
  readonly operationBytes?: number | undefined
  /** Maximum size of the URL and the headers of one sub-request, the inherited ones included. Default 16 KiB. */
  readonly headerBytes?: number | undefined
  /** Maximum number of dependencies of a JSON batch for each of its operations, on average. Default 10. */
  readonly dependenciesPerOperation?: number | undefined
  /** Maximum nesting depth of a request's JSON. The envelope is level 1, its list level 2, an operation level 3. Default 64. */
  readonly depth?: number | undefined
  /** Maximum time that a batch runs, from the last byte of its body. Default `"30 seconds"`. */
  readonly deadline?: DurationInput | undefined
  /** Maximum time that one operation runs. Default none. */
  readonly operationTimeout?: DurationInput | undefined
  /** Maximum time until a request body has arrived. Default `"60 seconds"`. */
  readonly receiveTimeout?: DurationInput | undefined
  /** Maximum size of a response; results that do not fit are replaced by the error `RESPONSE_TOO_LARGE`. Default 32 MiB. */
  readonly responseBytes?: number | undefined
  /** Maximum number of batches that run at once, over all endpoints that are created together. Default none. */
  readonly concurrentBatches?: number | undefined
  /** Maximum number of batches that run at once for one tenant. Default none. */
  readonly concurrentBatchesPerTenant?: number | undefined
}

const page = "limits.md"

/** Definitions of the limits. */
export const limitsOptions = {
  operations: { type: wholeNumber(), default: 1_000, unit: "operations", page },
  bodyBytes: { type: wholeNumber(), default: 10 * 1024 * 1024, unit: "bytes", page },
  operationBytes: { type: wholeNumber(), default: 1024 * 1024, unit: "bytes", page },
  headerBytes: { type: wholeNumber(), default: 16 * 1024, unit: "bytes", page },
  dependenciesPerOperation: { type: wholeNumber(), default: 10, unit: "dependencies", page },
  depth: { type: wholeNumber({ minimum: 3 }), default: 64, unit: "levels", page },
  deadline: { type: duration(), default: "30 seconds", page },
  operationTimeout: { type: duration(), page },
  receiveTimeout: { type: duration(), default: "60 seconds", page },
  responseBytes: { type: wholeNumber(), default: 32 * 1024 * 1024, unit: "bytes", page },
  concurrentBatches: { type: wholeNumber(), unit: "batches", page },
  concurrentBatchesPerTenant: { type: wholeNumber(), unit: "batches", page },
} satisfies OptionGroup<LimitsOptions>

/** Limits with defaults filled in. A limit that is undefined does not apply. */
export type Limits = SettingsOf<LimitsOptions, typeof limitsOptions>

/** Fills in the defaults of limits that were checked. */
export const make = (options: LimitsOptions = {}): Limits => settingsOf(limitsOptions, options)

/** The limits of an endpoint that configures none. */
export const defaults: Limits = make()
