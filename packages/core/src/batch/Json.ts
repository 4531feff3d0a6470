/** Checks and measures of JSON values: depth, dangerous member names, size in UTF-8. */

/**
 * The result of inspecting a JSON value.
 *
 * - `sound`: safe to use.
 * - `deep`: nested deeper than allowed.
 * - `poisoned`: contains a member `__proto__`, or a `constructor` with a `prototype`. A careless merge of such a value
 *   changes a prototype (prototype poisoning).
 */
export type Inspection = "sound" | "deep" | "poisoned"

/** Inspects a parsed JSON value, which may have `depth` levels of arrays and objects. */
export const inspect = (value: unknown, depth: number): Inspection => {
  if (typeof value !== "object" || value === null) return "sound"
  if (depth <= 0) return "deep"
  let inspection: Inspection = "sound"
  if (Array.isArray(value)) {
    for (const element of value) {
      if (typeof element !== "object" || element === null) continue
      const inner = inspect(element, depth - 1)
      if (inner === "deep") return inner
      if (inner === "poisoned") inspection = inner
    }
    return inspection
  }
  for (const name in value) {
    if (name === "__proto__" || (name === "constructor" && hasPrototype(value))) inspection = "poisoned"
    const member = (value as Record<string, unknown>)[name]
    if (typeof member !== "object" || member === null) continue
    const inner = inspect(member, depth - 1)
    if (inner === "deep") return inner
    if (inner === "poisoned") inspection = inner
  }
  return inspection
}

const hasPrototype = (value: object): boolean => {
  const member = (value as { readonly constructor?: unknown }).constructor
  return typeof member === "object" && member !== null && Object.hasOwn(member, "prototype")
}

const encoder = new TextEncoder()

/** Returns the number of bytes of a text in UTF-8. */
export const utf8Length = (text: string): number =>
  // For short texts, scanning is faster than encoding.
  text.length <= 500 && isAscii(text) ? text.length : encoder.encode(text).length

/** Whether a text has at most `bytes` bytes in UTF-8. */
export const fitsUtf8 = (text: string, bytes: number): boolean =>
  // A UTF-16 code unit takes at most three bytes.
  text.length * 3 <= bytes || (text.length <= bytes && utf8Length(text) <= bytes)

/** Returns the number of bytes of a value as JSON in UTF-8. */
export const byteLength = (value: unknown): number => {
  try {
    return utf8Length(JSON.stringify(value) ?? "")
  } catch {
    // A host's own parser may produce bigints, which JSON cannot represent but must not fail the batch.
    return utf8Length(
      JSON.stringify(value, (_, member: unknown) => (typeof member === "bigint" ? String(member) : member)),
    )
  }
}

// Most texts are ASCII, and then have one byte per character.
const isAscii = (text: string): boolean => {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 127) return false
  return true
}
