/** Runs jobs in a process that answers no requests. */
import type { BatchOptions } from "./BatchOptions.ts"
import { type BatchEndpoints, createBatch, type Platform } from "./createBatch.ts"

/** A worker at work. */
export interface Worker {
  /** Takes no more chunks, lets those that run end, at most `jobs.shutdownMs`, and stops. */
  readonly close: () => Promise<void>
}

/**
 * Runs the jobs of endpoints that servers answer for: `declare` makes the same endpoints of the same resources, by the
 * same names, with the options that the servers have.
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
  if (options.jobs === undefined) throw new TypeError(`A worker needs "jobs", with the engine that the servers have`)
  // Nobody calls a worker: jobs carry the tenants that servers took them from.
  const batch = createBatch<Request>({ ...options, tenant: options.tenant ?? (() => undefined) }, platform)
  declare(batch)
  return { close: batch.close }
}
