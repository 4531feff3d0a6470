/** Jobs of all endpoints that are made together: taken in, run, shown to clients. */
import { hasEnded, type JobRecord } from "./Job.ts"
import type { JobEndpoint } from "./JobEndpoint.ts"
import { JobIntake, type JobRequest, type TakenJob } from "./JobIntake.ts"
import { JobJanitor } from "./JobJanitor.ts"
import { JobWorker } from "./JobWorker.ts"
import type { Digest } from "../platform/Digest.ts"
import * as JobRoutes from "./JobRoutes.ts"
import type { JobSettings } from "./JobSettings.ts"

/** The jobs of all endpoints that share one set of options. */
export interface BatchJobs {
  readonly rules: JobSettings
  /** Told of what fails behind the scenes. */
  readonly onError: (error: unknown) => void
  /** Makes the jobs of an endpoint known, which are run from now on. */
  readonly register: (endpoint: JobEndpoint) => void
  /** Makes a job of a batch. */
  readonly take: (request: JobRequest) => Promise<TakenJob>
  /** Waits until a job has ended, at most so long; undefined where it has not. */
  readonly ended: (id: string, milliseconds: number) => Promise<JobRecord | undefined>
  /** A job as it stands; undefined where it is not there. */
  readonly find: (id: string) => Promise<JobRecord | undefined>
  /** Answers what stands under the url of jobs. */
  readonly monitor: JobRoutes.JobRoutes
  /** Lets running chunks end, and stops. */
  readonly close: () => Promise<void>
}

const silentMs = 30_000
const lookMs = 15_000
const sweepMs = 60_000
const tombstoneMs = 86_400_000

/** Milliseconds between two attempts to begin. */
const retryMs = 1000

/** Milliseconds between two looks at a job that is waited for. */
const waitMs = 50

/** Makes jobs. Nothing runs before the first endpoint is registered. */
export const make = (rules: JobSettings, digest: Digest, onError: (error: unknown) => void): BatchJobs => {
  const { store, queue } = rules.engine
  const keepMs = rules.keepResultsMs
  const endpoints = new Map<string, JobEndpoint>()
  const intake = new JobIntake({
    store,
    queue,
    digest,
    chunk: { operations: rules.chunkOperations, bytes: rules.chunkBytes },
    window: rules.window,
    limits: { queuedOperations: rules.queuedOperations, jobsPerTenant: rules.perTenant },
    lifeMs: rules.maxAgeMs,
    onUnsent: onError,
  })
  const { workers: concurrency, sliceOperations: sliceSize, exactlyOnce } = rules
  const worker = new JobWorker({
    store,
    queue,
    endpoints,
    concurrency,
    sliceSize,
    keepMs,
    aliveMs: silentMs / 3,
    exactlyOnce,
    onError,
  })
  const keeper = new JobJanitor({ store, queue, silentMs, lookMs, sweepMs, tombstoneMs, onError })

  let begun: Promise<void> | undefined
  const closing = new AbortController()
  const begin = async (): Promise<void> => {
    // Endpoints are made one after the other: jobs of the last one must not be delivered before it is.
    await pause(0)
    let told: string | undefined
    while (!closing.signal.aborted) {
      try {
        await queue.prepare?.()
        await keeper.start()
        if (concurrency > 0) await worker.start()
        return
      } catch (error) {
        // While it goes on failing for one reason, that is told once.
        if (String(error) !== told) onError(error)
        told = String(error)
        await pause(retryMs)
      }
    }
  }

  const find = async (id: string) => {
    const found = await store.find(id)
    return found === undefined || found.state === "forgotten" ? undefined : found
  }

  return {
    rules,
    onError,
    register: (endpoint) => {
      if (endpoints.has(endpoint.name)) {
        throw new TypeError(
          `Two endpoints are named "${endpoint.name}": jobs find theirs by its name, so give one of them "name"`,
        )
      }
      endpoints.set(endpoint.name, endpoint)
      begun ??= begin()
    },
    take: (request) => intake.take(request),
    ended: async (id, milliseconds) => {
      for (let waited = 0; ; waited += waitMs) {
        const job = await find(id)
        if (job === undefined || hasEnded(job.state)) return job
        if (waited >= milliseconds) return undefined
        await pause(waitMs)
      }
    },
    find,
    monitor: JobRoutes.make({
      store,
      keepMs,
      onCancelled: async (refs) => {
        await queue.forget(refs).catch(onError)
        // What was to go on later has nothing to wait for any more.
        await keeper.look()
      },
    }),
    close: async () => {
      closing.abort()
      await begun
      // Whatever one of them fails with, the others are closed too.
      for (const close of [() => worker.close(rules.shutdownTimeoutMs), () => keeper.close(), () => queue.close()]) {
        await close().catch(onError)
      }
    },
  }
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))
