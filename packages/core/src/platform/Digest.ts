/** SHA-256 digests, by the fastest implementation that the platform has. */
import * as Context from "effect/Context"

/** Returns the SHA-256 hash of a text's UTF-8 bytes: 43 characters of base64url. */
export interface Digest {
  (text: string): string | PromiseLike<string>
  /** Whether it always answers synchronously: then hashing many texts takes no promises. Default false. */
  readonly isSync?: boolean | undefined
}

/** A digest that returns every hash synchronously. */
export interface SyncDigest extends Digest {
  (text: string): string
  readonly isSync: true
}

const encoder = new TextEncoder()

// Web Crypto works everywhere but is asynchronous, which costs more than the hash itself. Node's adapters provide a
// synchronous digest instead.
const webDigest: Digest = async (text) => {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)))
  return btoa(String.fromCharCode(...hash))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace("=", "")
}

/** The digest in use. Default: Web Crypto. */
export const CurrentDigest = Context.Reference<Digest>("@multistatus/core/Digest", { defaultValue: () => webDigest })
