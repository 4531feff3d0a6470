/**
 * Payloads as every database can keep them.
 *
 * PostgreSQL's text refuses NUL, SQLite's functions end at it, and lone surrogates have no UTF-8. JSON text holds neither
 * raw, but a codec's output may: those units are written as U+E000 and four hexadecimal digits, and U+E000 itself too. Units
 * are escaped one by one, so that escaped chunks can be strung together.
 */

/** @internal */
export const escapePayload = (text: string): string =>
  text.isWellFormed() && !text.includes("\0") && !text.includes("\ue000")
    ? text
    : text.replace(unkeepable, escaped).replaceAll("\0", escaped)

/** @internal */
export const unescapePayload = (text: string): string =>
  text.includes("\ue000")
    ? text.replace(/\ue000([0-9a-f]{4})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
    : text

// With the flag "u" a surrogate matches only where it is alone.
const unkeepable = /[\ue000\ud800-\udfff]/gu

const escaped = (unit: string): string => `\ue000${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
