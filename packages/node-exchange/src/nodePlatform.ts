/** What Node has for engines that run anywhere. */
import { AsyncLocalStorage } from "node:async_hooks"
import { hash } from "node:crypto"

/** The asynchronous context of a request, and a SHA-256 that is not asynchronous. */
export const nodePlatform = {
  /** Captures the asynchronous context that this is called in; what it returns runs functions there. */
  captureContext: (): (<A>(run: () => A) => A) => AsyncLocalStorage.snapshot(),
  /** SHA-256 of a text in UTF-8, in base64url. */
  digest: Object.assign((text: string): string => hash("sha256", text, "base64url"), { isSync: true as const }),
}
