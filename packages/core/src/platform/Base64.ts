/** Base64 (RFC 4648, section 4), on the functions that every runtime has. */

/** Bytes per call of `String.fromCharCode`: runtimes limit the number of arguments. */
const sliceBytes = 0x8000

/** Encodes bytes as base64. */
export const encode = (bytes: Uint8Array): string => {
  let binary = ""
  for (let start = 0; start < bytes.length; start += sliceBytes) {
    binary += String.fromCharCode(...bytes.subarray(start, start + sliceBytes))
  }
  return btoa(binary)
}

/** Decodes base64; throws if the text is not valid base64. */
export const decode = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0))
