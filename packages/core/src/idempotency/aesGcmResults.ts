/** Encrypts stored results: AES-256-GCM by Web Crypto, on any runtime. */
import * as Base64 from "../platform/Base64.ts"
import type { ResultCodec } from "./StoredResult.ts"

/** Every text begins with it; another way to encrypt will count it up. */
const prefix = "a1."
const nonceBytes = 12
const keyBytes = 32

/** A `CryptoKey`. That name exists only in programs that include the types of browsers. */
export type AesKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

/**
 * Makes a codec that encrypts results with AES-256-GCM (NIST SP 800-38D), for the option `codec` of `idempotency`.
 *
 * **Details** `secret` is 32 random bytes, or a key of Web Crypto for AES-GCM of 256 bits that may encrypt and decrypt; a
 * `TypeError` says what is wrong with it. Every text has a random nonce of 96 bits: encrypt no more than 2^32 results
 * under one secret. The place of a text is additional authenticated data, so a text that was changed, or moved to another
 * key, is not read: its operation is answered `OUTCOME_UNKNOWN`. So are those stored under another secret; until their
 * time is over, keep the old one in a codec that tries both.
 *
 * **Example** (A secret of the environment)
 * ```ts
 * const codec = aesGcmResults(Buffer.from(process.env.RESULTS_SECRET, "base64"))
 * expressBatch({ tenant, idempotency: { store, codec } })
 * ```
 */
export const aesGcmResults = (secret: Uint8Array | AesKey): ResultCodec => {
  const key = secret instanceof Uint8Array ? imported(secret) : checked(secret)
  return {
    encode: async (text, place) => {
      const iv = crypto.getRandomValues(new Uint8Array(nonceBytes))
      const data = await crypto.subtle.encrypt(algorithm(iv, place), await key, utf8(text))
      const sealed = new Uint8Array(nonceBytes + data.byteLength)
      sealed.set(iv)
      sealed.set(new Uint8Array(data), nonceBytes)
      return prefix + Base64.encode(sealed)
    },
    decode: async (text, place) => {
      if (!text.startsWith(prefix)) throw new TypeError("This was not encrypted in a way that is known here")
      const sealed = Base64.decode(text.slice(prefix.length))
      const iv = sealed.slice(0, nonceBytes)
      const data = await crypto.subtle.decrypt(algorithm(iv, place), await key, sealed.slice(nonceBytes))
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data)
    },
  }
}

const algorithm = (iv: Uint8Array<ArrayBuffer>, place: string) => ({
  name: "AES-GCM",
  iv,
  additionalData: utf8(prefix + place),
})

const encoder = new TextEncoder()

const utf8 = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text)

const imported = (bytes: Uint8Array): Promise<AesKey> => {
  if (bytes.length !== keyBytes) {
    throw new TypeError(`A secret for AES-256-GCM has ${keyBytes} bytes, and this one has ${bytes.length}`)
  }
  // A copy, so that what becomes of the caller's bytes does not matter.
  return crypto.subtle.importKey("raw", Uint8Array.from(bytes), "AES-GCM", false, ["encrypt", "decrypt"])
}

const checked = (key: AesKey): AesKey => {
  const { name, length } = key.algorithm as { readonly name: string; readonly length?: number }
  if (name !== "AES-GCM" || length !== keyBytes * 8)
    throw new TypeError("The key has to be one for AES-GCM of 256 bits")
  if (!key.usages.includes("encrypt") || !key.usages.includes("decrypt")) {
    throw new TypeError("The key has to be one that may encrypt and decrypt")
  }
  return key
}
