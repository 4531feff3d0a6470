/** The platform that endpoints run on. */
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { BatchEngine } from "../engine/BatchEngine.ts"
import { AsyncContext, type RunInContext } from "../platform/AsyncContext.ts"
import { CurrentDigest, type Digest } from "../platform/Digest.ts"

/** What an adapter knows about its platform. */
export interface Platform {
  /** Returns the SHA-256 of a text in base64url. Default: Web Crypto, which is slower because it is asynchronous. */
  readonly digest?: Digest | undefined
  /** Captures the asynchronous context of a request; on Node, `AsyncLocalStorage.snapshot`. Default: none is captured. */
  readonly captureContext?: (() => RunInContext) | undefined
}

/** Runs the effects of the endpoints of one application. */
export type EngineRuntime = ManagedRuntime.ManagedRuntime<BatchEngine, never>

/** Makes the runtime of a platform. */
export const runtimeOf = ({ captureContext, digest }: Platform): EngineRuntime =>
  ManagedRuntime.make(
    Layer.mergeAll(
      BatchEngine.layer,
      captureContext === undefined ? Layer.empty : Layer.succeed(AsyncContext, captureContext),
      digest === undefined ? Layer.empty : Layer.succeed(CurrentDigest, digest),
      logToStandardError,
    ),
  )

// Standard output belongs to the host application.
const logToStandardError = Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)])
