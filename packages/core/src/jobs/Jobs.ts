/** The service of jobs. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { BatchLimits } from "../batch/BatchLimits.ts"
import * as Limits from "../batch/Limits.ts"
import { UnitOfWork } from "../execution/UnitOfWorkService.ts"
import { checkOptions } from "../options/checkOptions.ts"
import { CurrentDigest } from "../platform/Digest.ts"
import * as BatchJobs from "./BatchJobs.ts"
import { ChunkQueue } from "./ChunkQueueService.ts"
import { type JobOptions, jobOptions } from "./JobOptions.ts"
import { type JobSettings, resolveOptions } from "./JobSettings.ts"
import { JobStore } from "./JobStoreService.ts"

/** Runs batches as jobs, which outlive their requests. */
export class Jobs extends Context.Service<Jobs, BatchJobs.BatchJobs>()("@multistatus/core/Jobs") {
  /**
   * Keeps jobs in the store and the queue of the context. Closing the scope of the layer waits for running chunks, at most
   * `shutdownTimeout`.
   *
   * **Details** The layer dies with a `TypeError` if options are wrong.
   */
  static readonly layer = (options: Omit<JobOptions, "engine"> = {}): Layer.Layer<Jobs, never, JobStore | ChunkQueue> =>
    Layer.unwrap(
      Effect.gen(function* () {
        const complete = { ...options, engine: { store: yield* JobStore, queue: yield* ChunkQueue } }
        checkOptions(jobOptions, complete)
        const hasUnitOfWork = Option.isSome(yield* Effect.serviceOption(UnitOfWork))
        const limits = Option.match(yield* Effect.serviceOption(BatchLimits), {
          onNone: () => Limits.defaults,
          onSome: ({ published }) => published,
        })
        return Jobs.layerFrom(resolveOptions(complete, { hasUnitOfWork, operations: limits.operations }))
      }),
    )

  /** Runs jobs as settings say that were resolved, in the store and the queue of the context. */
  static readonly layerFrom = (
    settings: Omit<JobSettings, "engine">,
  ): Layer.Layer<Jobs, never, JobStore | ChunkQueue> =>
    Layer.effect(
      Jobs,
      Effect.gen(function* () {
        const engine = { store: yield* JobStore, queue: yield* ChunkQueue }
        const digest = yield* CurrentDigest
        const fork = Effect.runForkWith(yield* Effect.context<never>())
        const log = (error: unknown) => void fork(Effect.logWarning("Job step failed; retrying", error))
        return yield* Effect.acquireRelease(
          Effect.sync(() => closedOnce(BatchJobs.make({ ...settings, engine }, digest, settings.onError ?? log))),
          ({ close }) => Effect.promise(close),
        )
      }),
    )
}

const closedOnce = (jobs: BatchJobs.BatchJobs): BatchJobs.BatchJobs => {
  let closing: Promise<void> | undefined
  return { ...jobs, close: () => (closing ??= jobs.close()) }
}
