import * as Base64 from "./Base64.ts"

/** Returns an unguessable unique id: 128 random bits as 22 characters of base64url. */
export const randomId = (): string =>
  Base64.encode(crypto.getRandomValues(new Uint8Array(16)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "")
