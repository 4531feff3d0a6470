/** Workers: processes that run jobs and answer no requests. */
import type { BatchEndpoints } from "./BatchEndpoints.ts"
import type { BatchOptions } from "./BatchOptions.ts"
import { createBatch } from "./createBatch.ts"
import type { Platform } from "./Platform.ts"

/** A worker that is running. */
export interface Worker {
  /** Takes no more chunks, waits for those that run, at most `jobs.shutdownTimeout`, and stops. */
  readonly close: () => Promise<void>
}

/**
 * Runs the jobs of endpoints that servers answer for. `declare` makes the same endpoints as the servers: the same
 * resources, names and options.
 *
 * **Example** (A worker)
 * ```ts
 * const worker = runWorker({ jobs: { engine, workers: 8 } }, (batch) => {
 *   batch.bulk(users, "create")
 *   batch.operations(users)
 * })
 * process.once("SIGTERM", () => worker.close())
 * ```
 */
export const runWorker = <Request = unknown>(
  options: BatchOptions<Request> & Required<Pick<BatchOptions, "jobs">>,
  declare: (batch: BatchEndpoints<Request>) => void,
  platform: Platform = {},
): Worker => {
  if (options.jobs === undefined) throw new TypeError(`A worker needs "jobs" with the engine of the servers`)
  // A worker has no callers: each job carries the tenant of its request.
  const batch = createBatch<Request>({ ...options, tenant: options.tenant ?? (() => undefined) }, platform)
  declare(batch)
  return { close: batch.close }
}
