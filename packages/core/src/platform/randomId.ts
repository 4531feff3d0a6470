import * as Base64 from "./Base64.ts"

/** An id that nobody can guess, and that no other will be the same as: 128 random bits, 22 characters of base64url. */
export const randomId = (): string =>
  Base64.encode(crypto.getRandomValues(new Uint8Array(16)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "")
