/** One text for all spellings of the same JSON value: the JSON Canonicalization Scheme (RFC 8785). */

/**
 * Writes a JSON value in canonical form: members sorted by UTF-16 code units, no white space, numbers as ECMAScript
 * writes them.
 *
 * **Details** Never throws where the standard would refuse: a lone surrogate is written as its escape, an infinity or a
 * big integer, as other parsers make them, by its digits or name. What `JSON.stringify` leaves out is left out.
 */
export const canonicalJson = (given: unknown): string => write(given, 0)

const write = (given: unknown, depth: number): string => {
  if (typeof given === "string") return quote(given)
  const value = plain(given)
  if (typeof value === "bigint" || typeof value === "number") return String(value)
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null"
  // Put together by hand: this is done for every operation that has a key.
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

/** The names of an object's members. */
interface Members {
  /** As the object has them. */
  readonly names: ReadonlyArray<string>
  readonly sorted: ReadonlyArray<string>
  /** Each of `sorted` as it is written, with its colon. */
  readonly heads: ReadonlyArray<string>
}

// The objects of a batch are alike: most have the names of the last one that stood so deep.
const lastAt: Array<Members> = []
const keptDepth = 8
/** Names, and characters of all of them, that are kept at most. */
const keptNames = 64
const keptLength = 2000

const membersOf = (value: object, depth: number): Members => {
  const names = Object.keys(value)
  const last = lastAt[depth]
  if (last !== undefined && areSame(names, last.names)) return last
  const sorted = names.toSorted()
  const members = { names, sorted, heads: sorted.map((name) => `${quote(name)}:`) }
  if (depth < keptDepth && names.length <= keptNames && lengthOf(names) <= keptLength) lastAt[depth] = members
  return members
}

const lengthOf = (names: ReadonlyArray<string>): number => names.reduce((length, name) => length + name.length, 0)

const areSame = (some: ReadonlyArray<string>, others: ReadonlyArray<string>): boolean => {
  if (some.length !== others.length) return false
  for (let index = 0; index < some.length; index++) if (some[index] !== others[index]) return false
  return true
}

// Most texts are short and have nothing to escape: looking is faster than asking.
const quote = (text: string): string => {
  if (text.length > 40) return JSON.stringify(text)
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x20 || unit > 0x7e || unit === 0x22 || unit === 0x5c) return JSON.stringify(text)
  }
  return `"${text}"`
}

// Dates and their kin, of hosts whose parsers make more than JSON has.
const plain = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "toJSON" in value && typeof value.toJSON === "function"
    ? value.toJSON("")
    : value
