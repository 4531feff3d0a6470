/** Charges the operations of a chunk to the quota of its tenant. */
import { BatchError } from "../batch/BatchError.ts"
import { failure } from "../batch/Failure.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { ChunkSlice } from "./ChunkSlice.ts"
import type { JobWait } from "./Job.ts"
import type { JobCharge, JobEndpoint } from "./JobEndpoint.ts"

/** Outcome of charging a chunk. */
export type ChunkCharge =
  /** The first `count` operations may run. `charge` is undefined if nothing was charged. */
  | { readonly _tag: "charged"; readonly charge: JobCharge | undefined; readonly count: number }
  /** The operations may be charged in `delayMs` milliseconds. `waitsFor` is undefined if the quota is unreachable. */
  | { readonly _tag: "postponed"; readonly delayMs: number; readonly waitsFor: JobWait["for"] | undefined }

/**
 * Charges slices as a whole. If they cost more than the quota ever allows, charges as many whole slices as it does allow, if
 * `isDivisible`. If it does not allow a single slice, the operations fail.
 */
export const charge = async (
  endpoint: Pick<JobEndpoint, "charge">,
  tenant: string | undefined,
  slices: ReadonlyArray<ChunkSlice>,
  isDivisible: boolean,
): Promise<ChunkCharge> => {
  const operations = slices.flatMap((slice) => slice.operations)
  let count = operations.length
  while (true) {
    try {
      return { _tag: "charged", charge: await endpoint.charge(operations.slice(0, count), tenant), count }
    } catch (error) {
      const delayMs = retryDelayOf(error)
      if (delayMs !== undefined)
        return { _tag: "postponed", delayMs, waitsFor: isOverQuota(error) ? "quota" : undefined }
      if (!(error instanceof BatchError) || error.reason._tag !== "BatchExceedsQuota") throw error
      const { limit, code, message, status } = error.reason
      const fitting = isDivisible ? wholeSlices(slices, Math.min(limit, count - 1)) : 0
      if (fitting > 0) {
        count = fitting
        continue
      }
      const result = OperationResult.refused(failure(code, message, { status }))
      for (const operation of operations) operation.result ??= result
      return { _tag: "charged", charge: undefined, count: operations.length }
    }
  }
}

/** Milliseconds after which a request that was refused may succeed; undefined if the error does not tell. */
export const retryDelayOf = (error: unknown): number | undefined => {
  if (!(error instanceof BatchError) || !("retryAfter" in error.reason)) return undefined
  const { retryAfter } = error.reason
  return retryAfter === undefined ? undefined : retryAfter * 1000
}

const isOverQuota = (error: unknown): boolean => error instanceof BatchError && error.reason.code === "RATE_LIMITED"

const wholeSlices = (slices: ReadonlyArray<ChunkSlice>, limit: number): number => {
  let count = 0
  for (const { operations } of slices) {
    if (count + operations.length > limit) break
    count += operations.length
  }
  return count
}
