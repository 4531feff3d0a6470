/** SHA-256, as the platform has it fastest. */
import * as Context from "effect/Context"

/** Hashes a text as UTF-8; 43 characters of base64url. */
export interface Digest {
  (text: string): string | PromiseLike<string>
  /** Whether it always answers synchronously: then hashing many texts takes no promises. Default false. */
  readonly isSync?: boolean | undefined
}

/** A digest that always answers at once. */
export interface SyncDigest extends Digest {
  (text: string): string
  readonly isSync: true
}

const encoder = new TextEncoder()

// The portable way is asynchronous, which costs more than the hash does; Node has a way that is not.
const webDigest: Digest = async (text) => {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)))
  return btoa(String.fromCharCode(...hash))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace("=", "")
}

/** The digest in use. Default: Web Crypto. */
export const CurrentDigest = Context.Reference<Digest>("@multistatus/core/Digest", { defaultValue: () => webDigest })
