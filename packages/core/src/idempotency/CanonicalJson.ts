/** The JSON Canonicalization Scheme (RFC 8785): one text for every spelling of the same JSON value. */

/**
 * Writes a JSON value in canonical form: members sorted by UTF-16 code units, no white space, numbers as ECMAScript
 * writes them.
 *
 * **Details** Accepts what the standard rejects: a lone surrogate is written as its escape, an infinity by its name, a big
 * integer by its digits. Leaves out what `JSON.stringify` leaves out.
 */
export const canonicalJson = (value: unknown): string => write(value, 0)

const write = (input: unknown, depth: number): string => {
  if (typeof input === "string") return quote(input)
  const value = jsonOf(input)
  if (typeof value === "bigint" || typeof value === "number") return String(value)
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null"
  // Concatenated by hand, because this runs for every operation that has a key.
  let text = ""
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      text += index === 0 ? write(value[index], depth + 1) : `,${write(value[index], depth + 1)}`
    }
    return `[${text}]`
  }
  const { sorted, heads } = membersOf(value, depth)
  for (let index = 0; index < sorted.length; index++) {
    const member = (value as Record<string, unknown>)[sorted[index]!]
    if (member === undefined || typeof member === "function" || typeof member === "symbol") continue
    text += text === "" ? heads[index]! : `,${heads[index]!}`
    text += write(member, depth + 1)
  }
  return `{${text}}`
}

/** The member names of an object. */
interface Members {
  /** In the order of the object. */
  readonly names: ReadonlyArray<string>
  readonly sorted: ReadonlyArray<string>
  /** Each name of `sorted`, quoted and with its colon. */
  readonly heads: ReadonlyArray<string>
}

// The objects of a batch are similar: most have the same names as the previous object at the same depth.
const membersByDepth: Array<Members> = []
/** Depth up to which names are cached. */
const maxCachedDepth = 8
/** Names of an object whose names are cached. */
const maxCachedNames = 64
/** Characters of all names of an object whose names are cached. */
const maxCachedLength = 2000

const membersOf = (value: object, depth: number): Members => {
  const names = Object.keys(value)
  const previous = membersByDepth[depth]
  if (previous !== undefined && areEqual(names, previous.names)) return previous
  const sorted = names.toSorted()
  const members = { names, sorted, heads: sorted.map((name) => `${quote(name)}:`) }
  if (depth < maxCachedDepth && names.length <= maxCachedNames && lengthOf(names) <= maxCachedLength)
    membersByDepth[depth] = members
  return members
}

const lengthOf = (names: ReadonlyArray<string>): number => names.reduce((length, name) => length + name.length, 0)

const areEqual = (left: ReadonlyArray<string>, right: ReadonlyArray<string>): boolean => {
  if (left.length !== right.length) return false
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false
  return true
}

// Most texts are short and need no escapes: checking that is faster than `JSON.stringify`.
const quote = (text: string): string => {
  if (text.length > 40) return JSON.stringify(text)
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x20 || unit > 0x7e || unit === 0x22 || unit === 0x5c) return JSON.stringify(text)
  }
  return `"${text}"`
}

// Parsers of some hosts make values that JSON does not have, such as dates.
const jsonOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "toJSON" in value && typeof value.toJSON === "function"
    ? value.toJSON("")
    : value
