/** The platform that endpoints run on. */
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import type { Limits } from "../batch/Limits.ts"
import { ChunkQueue } from "../jobs/ChunkQueueService.ts"
import { Jobs } from "../jobs/Jobs.ts"
import type { JobSettings } from "../jobs/JobSettings.ts"
import { JobStore } from "../jobs/JobStoreService.ts"
import { AsyncContext, type RunInContext } from "../platform/AsyncContext.ts"
import { CurrentDigest, type Digest } from "../platform/Digest.ts"
import { ConcurrencyLimit } from "./ConcurrencyLimit.ts"

/** What an adapter knows about its platform. */
export interface Platform {
  /** Returns the SHA-256 of a text in base64url. Default: Web Crypto, which is slower because it is asynchronous. */
  readonly digest?: Digest | undefined
  /** Captures the asynchronous context of a request; on Node, `AsyncLocalStorage.snapshot`. Default: none is captured. */
  readonly captureContext?: (() => RunInContext) | undefined
}

/** What the endpoints of one application share. */
export interface SharedSettings {
  readonly limits: Limits
  readonly jobs: JobSettings | undefined
}

/** Makes the runtime of a platform, with the services that all endpoints share. */
export const makeRuntime = ({ captureContext, digest }: Platform, { limits, jobs }: SharedSettings) => {
  const platform = Layer.mergeAll(
    captureContext === undefined ? Layer.empty : Layer.succeed(AsyncContext, captureContext),
    digest === undefined ? Layer.empty : Layer.succeed(CurrentDigest, digest),
    logToStandardError,
  )
  const shared = Layer.merge(ConcurrencyLimit.layer(limits), jobs === undefined ? Layer.empty : jobsLayer(jobs))
  return ManagedRuntime.make(Layer.provideMerge(shared, platform))
}

const jobsLayer = ({ engine, ...settings }: JobSettings): Layer.Layer<Jobs> =>
  Layer.provide(Jobs.layerFrom(settings), [
    Layer.succeed(JobStore, engine.store),
    Layer.succeed(ChunkQueue, engine.queue),
  ])

// Standard output belongs to the host application.
const logToStandardError = Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])
