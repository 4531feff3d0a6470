/** One text for all spellings of the same JSON value: the JSON Canonicalization Scheme (RFC 8785). */

/**
 * Writes a JSON value in canonical form: members sorted by UTF-16 code units, no white space, numbers as ECMAScript
 * writes them. A lone surrogate is written as its escape, where the standard would refuse it.
 *
 * @category encoding
 * @since 0.1.0
 */
export const canonicalJson = (value: unknown): string => {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null"
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson((value as Record<string, unknown>)[name])}`)
  return `{${members.join(",")}}`
}
