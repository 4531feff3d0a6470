/** What has to be known of a JSON value before it is trusted: how deep it is, and what its member names may do. */

/**
 * - `sound`: nothing to say.
 * - `deep`: deeper than allowed.
 * - `poisoned`: has a member `__proto__`, or a `constructor` with a `prototype`, that a careless merge would turn
 *   into a change of a prototype.
 */
export type Finding = "sound" | "deep" | "poisoned"

/** Inspects a parsed JSON value down to `depth` levels; a scalar has none. */
export const inspect = (value: unknown, depth: number): Finding => {
  if (typeof value !== "object" || value === null) return "sound"
  if (depth <= 0) return "deep"
  let finding: Finding = "sound"
  if (Array.isArray(value)) {
    for (const element of value) {
      if (typeof element !== "object" || element === null) continue
      const found = inspect(element, depth - 1)
      if (found === "deep") return found
      if (found === "poisoned") finding = found
    }
    return finding
  }
  for (const name in value) {
    if (name === "__proto__" || (name === "constructor" && hasPrototype(value))) finding = "poisoned"
    const member = (value as Record<string, unknown>)[name]
    if (typeof member !== "object" || member === null) continue
    const found = inspect(member, depth - 1)
    if (found === "deep") return found
    if (found === "poisoned") finding = found
  }
  return finding
}

const hasPrototype = (value: object): boolean => {
  const member = (value as { readonly constructor?: unknown }).constructor
  return typeof member === "object" && member !== null && Object.hasOwn(member, "prototype")
}

const encoder = new TextEncoder()

/** How many bytes a text takes as UTF-8. */
export const utf8Length = (text: string): number =>
  // Up to some length, looking is faster than encoding.
  text.length <= 500 && isAscii(text) ? text.length : encoder.encode(text).length

/** Whether a text takes at most so many bytes as UTF-8. */
export const fitsUtf8 = (text: string, bytes: number): boolean =>
  // No unit of a text takes more than three.
  text.length * 3 <= bytes || (text.length <= bytes && utf8Length(text) <= bytes)

/** How many bytes a value takes as JSON. */
export const byteLength = (value: unknown): number => {
  try {
    return utf8Length(JSON.stringify(value) ?? "")
  } catch {
    // A host's own parser may make big integers, which have no JSON but must not stop the batch.
    return utf8Length(
      JSON.stringify(value, (_, member: unknown) => (typeof member === "bigint" ? String(member) : member)),
    )
  }
}

// A text of n characters below U+0080 takes n bytes: most do, and need not be encoded to be measured.
const isAscii = (text: string): boolean => {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 127) return false
  return true
}
