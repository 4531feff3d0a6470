/** The functions of Node that the engine needs. */
import { AsyncLocalStorage } from "node:async_hooks"
import crypto from "node:crypto"

/** The `platform` of `createBatch` on Node: asynchronous context and a synchronous SHA-256. */
export const nodePlatform = {
  /** Captures the current asynchronous context. Returns a function that runs other functions in it. */
  captureContext: (): (<A>(run: () => A) => A) => AsyncLocalStorage.snapshot(),
  /** The SHA-256 of a text in UTF-8, as base64url. */
  digest: Object.assign((text: string): string => crypto.hash("sha256", text, "base64url"), { isSync: true as const }),
}
