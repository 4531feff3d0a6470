/** Bytes as text: base64 (RFC 4648, section 4), with what every runtime has. */

/** Bytes that one call may be given as arguments. */
const slice = 0x8000

/** Writes bytes in base64. */
export const encode = (bytes: Uint8Array): string => {
  let binary = ""
  for (let at = 0; at < bytes.length; at += slice) binary += String.fromCharCode(...bytes.subarray(at, at + slice))
  return btoa(binary)
}

/** Reads bytes from base64; throws at what is none. */
export const decode = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0))
