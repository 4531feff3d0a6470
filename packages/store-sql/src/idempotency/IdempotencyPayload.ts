/**
 * Escapes characters in payloads that a database cannot store.
 *
 * PostgreSQL rejects NUL in text, functions of SQLite stop at NUL, and lone surrogates have no UTF-8 encoding. JSON text
 * contains neither, but a codec's output may. NUL, lone surrogates and U+E000 are written as U+E000 followed by four
 * hexadecimal digits. Each code unit is escaped on its own, so escaped chunks can be concatenated.
 */

/** Escapes a payload. @internal */
export const escapePayload = (text: string): string =>
  text.isWellFormed() && !text.includes("\0") && !text.includes("\ue000")
    ? text
    : text.replace(unstorable, escapeUnit).replaceAll("\0", escapeUnit)

/** Reverses `escapePayload`. @internal */
export const unescapePayload = (text: string): string =>
  text.includes("\ue000")
    ? text.replace(/\ue000([0-9a-f]{4})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
    : text

// With the flag "u" a surrogate matches only if it is not part of a pair.
const unstorable = /[\ue000\ud800-\udfff]/gu

const escapeUnit = (unit: string): string => `\ue000${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
