/** Encryption of stored results: AES-256-GCM with Web Crypto, on any runtime. */
import * as Base64 from "../platform/Base64.ts"
import type { ResultCodec } from "./StoredResult.ts"

/** The beginning of every encrypted text. Another way to encrypt needs another prefix. */
const prefix = "a1."
const nonceBytes = 12
const keyBytes = 32

/** A `CryptoKey`. That name exists only in programs that include the types of browsers. */
export type AesKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

/**
 * Makes a codec that encrypts results with AES-256-GCM (NIST SP 800-38D), for the option `codec` of `idempotency`.
 *
 * **Details** `secret` is 32 random bytes, or a 256-bit AES-GCM key of Web Crypto that may encrypt and decrypt. Throws a
 * `TypeError` for anything else. Every text has a random 96-bit nonce: encrypt at most 2^32 results with one secret. The
 * place of a text is additional authenticated data, so a text that was changed or moved to another key is unreadable, and
 * its operation is answered `OUTCOME_UNKNOWN`. The same is true of texts that were encrypted with another secret: to
 * change the secret, use a codec that tries both until the old results have expired.
 *
 * **Example** (A secret from the environment)
 * ```ts
 * const codec = aesGcmResults(Buffer.from(process.env.RESULTS_SECRET, "base64"))
 * expressBatch({ tenant, idempotency: { store, codec } })
 * ```
 */
export const aesGcmResults = (secret: Uint8Array | AesKey): ResultCodec => {
  const key = secret instanceof Uint8Array ? importKey(secret) : checkKey(secret)
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
      if (!text.startsWith(prefix)) throw new TypeError("The stored result was not encrypted by aesGcmResults")
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

const importKey = (bytes: Uint8Array): Promise<AesKey> => {
  if (bytes.length !== keyBytes) {
    throw new TypeError(
      `A secret for AES-256-GCM has ${keyBytes} bytes, and this one has ${bytes.length}: generate one with randomBytes(${keyBytes})`,
    )
  }
  // A copy, because the caller may overwrite its bytes before the key is imported.
  return crypto.subtle.importKey("raw", Uint8Array.from(bytes), "AES-GCM", false, ["encrypt", "decrypt"])
}

const checkKey = (key: AesKey): AesKey => {
  const { name, length } = key.algorithm as { readonly name: string; readonly length?: number }
  if (name !== "AES-GCM" || length !== keyBytes * 8) throw new TypeError("The key has to be an AES-GCM key of 256 bits")
  if (!key.usages.includes("encrypt") || !key.usages.includes("decrypt")) {
    throw new TypeError("The key has to have the usages encrypt and decrypt")
  }
  return key
}
