/** The jobs of all endpoints that are made together: accepts them, runs them, and serves their routes. */
import type { Digest } from "../platform/Digest.ts"
import { hasEnded, type JobRecord } from "./Job.ts"
import type { JobEndpoint } from "./JobEndpoint.ts"
import { JobIntake, type JobRequest } from "./JobIntake.ts"
import { JobJanitor } from "./JobJanitor.ts"
import { JobLooks } from "./JobLooks.ts"
import type { JobSettings } from "./JobSettings.ts"
import * as JobRoutes from "./JobRoutes.ts"
import type { AcceptedJob } from "./JobUpload.ts"
import { JobWorker } from "./JobWorker.ts"
import { pause } from "./pause.ts"

/** The jobs of all endpoints that share one set of options. */
export interface BatchJobs {
  readonly settings: JobSettings
  /** Called with errors of background work, which is retried. */
  readonly onError: (error: unknown) => void
  /** Adds an endpoint. Its jobs run from now on. */
  readonly register: (endpoint: JobEndpoint) => void
  /** Makes a job of a batch. */
  readonly submit: (request: JobRequest) => Promise<AcceptedJob>
  /** Waits for a job to end, at most `milliseconds`; undefined if it has not ended by then. */
  readonly waitForEnd: (id: string, milliseconds: number) => Promise<JobRecord | undefined>
  /** Finds a job; undefined if it does not exist, or has expired. */
  readonly find: (id: string) => Promise<JobRecord | undefined>
  /** Answers requests below the URL of jobs. */
  readonly routes: JobRoutes.JobRoutes
  /**
   * Starts no more chunks, ends event streams and waits of requests, and waits for running chunks up to `shutdownTimeout`. Then
   * it aborts them. Further calls wait for the first.
   */
  readonly close: () => Promise<void>
}

const silentMs = 30_000
const resendMs = 15_000
const sweepMs = 60_000
const tombstoneMs = 86_400_000

/** Milliseconds between two attempts to start. */
const startRetryMs = 1000

/** Milliseconds between two polls of a job that a request waits for. */
const pollMs = 50

/** Makes jobs. Nothing runs before the first endpoint is registered. */
export const make = (settings: JobSettings, digest: Digest, onError: (error: unknown) => void): BatchJobs => {
  const { store, queue } = settings.engine
  const keepMs = settings.keepResultsMs
  const endpoints = new Map<string, JobEndpoint>()
  const intake = new JobIntake({
    store,
    queue,
    digest,
    chunk: { operations: settings.chunkOperations, bytes: settings.chunkBytes },
    window: settings.window,
    limits: { queuedOperations: settings.queuedOperations, jobsPerTenant: settings.perTenant },
    lifeMs: settings.maxAgeMs,
    onError,
  })
  const worker = new JobWorker({
    store,
    queue,
    endpoints,
    concurrency: settings.workers,
    sliceSize: settings.sliceOperations,
    keepMs,
    aliveMs: silentMs / 3,
    exactlyOnce: settings.exactlyOnce,
    weightOf: settings.weight,
    onError,
  })
  const janitor = new JobJanitor({ store, queue, silentMs, resendMs, sweepMs, tombstoneMs, onError })

  let starting: Promise<void> | undefined
  const closing = new AbortController()
  const looks = new JobLooks(store)
  let closed: Promise<void> | undefined
  const start = async (): Promise<void> => {
    // Endpoints are made one after the other. No job may be delivered before the last of them is registered.
    await pause(0)
    let reported: string | undefined
    while (!closing.signal.aborted) {
      try {
        await queue.prepare?.()
        await janitor.start()
        if (settings.workers > 0) await worker.start()
        return
      } catch (error) {
        // An error that repeats is reported once.
        if (String(error) !== reported) onError(error)
        reported = String(error)
        await pause(startRetryMs, closing.signal)
      }
    }
  }

  const find = async (id: string) => {
    const found = await store.find(id)
    return found === undefined || found.state === "forgotten" ? undefined : found
  }

  const close = async (): Promise<void> => {
    closing.abort()
    worker.stop()
    await starting
    // If one of them fails, the others are closed all the same.
    await Promise.all([worker.close(settings.shutdownTimeoutMs).catch(onError), janitor.close().catch(onError)])
    await queue.close().catch(onError)
  }

  return {
    settings,
    onError,
    register: (endpoint) => {
      if (endpoints.has(endpoint.name)) {
        throw new TypeError(
          `Two endpoints are named "${endpoint.name}", and jobs find their endpoint by its name: give one of them "name"`,
        )
      }
      endpoints.set(endpoint.name, endpoint)
      starting ??= start()
    },
    submit: (request) => intake.submit(request),
    waitForEnd: async (id, milliseconds) => {
      for (let waitedMs = 0; ; waitedMs += pollMs) {
        const found = await looks.find(id, pollMs)
        const job = found?.state === "forgotten" ? undefined : found
        if (job === undefined || hasEnded(job.state)) return job
        if (waitedMs >= milliseconds || closing.signal.aborted) return undefined
        await pause(pollMs, closing.signal)
      }
    },
    find,
    routes: JobRoutes.make({
      store,
      keepMs,
      looks,
      followers: settings.followers,
      closing: closing.signal,
      encoderOf: (endpoint) => endpoints.get(endpoint)?.items.encodeResult,
      onCancelled: async (refs) => {
        await queue.forget(refs).catch(onError)
        // Postponed chunks of the job have nothing to wait for any more.
        await janitor.resendNow()
      },
    }),
    close: () => (closed ??= close()),
  }
}
