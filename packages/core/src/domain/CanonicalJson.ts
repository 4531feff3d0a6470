/** One text for all spellings of the same JSON value: the JSON Canonicalization Scheme (RFC 8785). */

/**
 * Writes a JSON value in canonical form: members sorted by UTF-16 code units, no white space, numbers as ECMAScript
 * writes them.
 *
 * **Details** Never throws where the standard would refuse: a lone surrogate is written as its escape, an infinity or a
 * big integer, as other parsers make them, by its digits or name. What `JSON.stringify` leaves out is left out.
 *
 * @category encoding
 * @since 0.1.0
 */
export const canonicalJson = (given: unknown): string => {
  const value = plain(given)
  if (typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value))) return String(value)
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null"
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`
  const members = Object.keys(value)
    .sort()
    .map((name) => [name, (value as Record<string, unknown>)[name]] as const)
    .filter(([, member]) => member !== undefined && typeof member !== "function" && typeof member !== "symbol")
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`)
  return `{${members.join(",")}}`
}

// Dates and their kin, of hosts whose parsers make more than JSON has.
const plain = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "toJSON" in value && typeof value.toJSON === "function"
    ? value.toJSON("")
    : value
