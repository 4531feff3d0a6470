/**
 * References of one sub-request to the reply of another: `@{req-1.body.id}`, `@{req-1.headers.location}`,
 * `@{req-1.status}`. A reference is parsed into a path of member names; nothing is evaluated.
 */
import * as Result from "effect/Result"
import type { JsonText } from "../../batch/JsonText.ts"

/** A reference to a part of the reply to the sub-request `id`. */
export interface Reference {
  readonly id: string
  readonly path: ReadonlyArray<string>
}

/** A string, split into plain text and references. */
export type Template = ReadonlyArray<string | Reference>

/** The ids that references may name, prepared for `parse`. */
export interface KnownIds {
  readonly ids: ReadonlySet<string>
  /** The different lengths of the ids, longest first. */
  readonly lengths: ReadonlyArray<number>
}

/** Prepares ids for `parse`. */
export const knownIds = (ids: ReadonlySet<string>): KnownIds => ({
  ids,
  lengths: [...new Set(Array.from(ids, (id) => id.length))].sort((a, b) => b - a),
})

const maximumPathLength = 1024

/**
 * Splits a string at its references; returns undefined if it has neither references nor escapes.
 *
 * **Details** `@{` begins a reference only if an id of the batch follows (the longest that fits), and then `}`, or `.` and a
 * path of at most 1,024 characters. Anything else is plain text. `@@{` is an escape for the text `@{`.
 */
export const parse = (text: string, known: KnownIds): Template | undefined => {
  let start = text.indexOf("@{")
  if (start === -1) return undefined
  const parts: Array<string | Reference> = []
  let plain = ""
  let position = 0
  const closes = new Closes(text)
  for (; start !== -1; start = text.indexOf("@{", position)) {
    if (start > position && text[start - 1] === "@") {
      plain += `${text.slice(position, start - 1)}@{`
      position = start + 2
      continue
    }
    const parsed = parseReference(text, start + 2, known, closes)
    plain += text.slice(position, parsed === undefined ? start + 2 : start)
    position = parsed?.end ?? start + 2
    if (parsed === undefined) continue
    if (plain !== "") parts.push(plain)
    parts.push(parsed.reference)
    plain = ""
  }
  plain += text.slice(position)
  if (plain !== "" || parts.length === 0) parts.push(plain)
  return parts
}

/** Finds the next `}` of a text for positions that only increase, so that all searches together read the text once. */
class Closes {
  private readonly text: string
  private next = -1

  constructor(text: string) {
    this.text = text
  }

  /** Returns the position of the first `}` at or after `start`; infinite if there is none. */
  after(start: number): number {
    if (this.next < start) {
      const found = this.text.indexOf("}", start)
      this.next = found === -1 ? Number.POSITIVE_INFINITY : found
    }
    return this.next
  }
}

const parseReference = (text: string, start: number, { ids, lengths }: KnownIds, closes: Closes) => {
  // No id is tried for a mark that no `}` follows: a hostile text consists of such marks.
  if (closes.after(start) === Number.POSITIVE_INFINITY) return undefined
  // An id may contain dots and braces, so the known ids are tried instead of splitting the text at dots.
  for (const length of lengths) {
    const next = text[start + length]
    if (next !== "." && next !== "}") continue
    const id = text.slice(start, start + length)
    if (!ids.has(id)) continue
    const pathStart = start + length + 1
    if (next === "}") return { reference: { id, path: [] }, end: pathStart }
    // The id itself may contain a `}`; the search must not go back behind it for the next mark.
    const end = closes.after(start) >= pathStart ? closes.after(start) : text.indexOf("}", pathStart)
    if (end === -1 || end - pathStart > maximumPathLength) return undefined
    return { reference: { id, path: text.slice(pathStart, end).split(".") }, end: end + 1 }
  }
  return undefined
}

/**
 * Returns the effort that `parse` may need for a text: the number of `@{` times the number of id lengths to try. It is far
 * below the maximum for ordinary batches, but not for a text full of `@{` with hundreds of ids of different lengths.
 */
export const effort = (text: string, { lengths }: KnownIds): number => {
  let marks = 0
  for (let start = text.indexOf("@{"); start !== -1; start = text.indexOf("@{", start + 2)) marks++
  return marks * lengths.length
}

/** Follows a path of members and array indexes; fails with the name of the member that does not exist. */
export const follow = (root: JsonText, path: ReadonlyArray<string>): Result.Result<JsonText, string> => {
  let value = root
  for (const name of path) {
    const member = value.member(name)
    if (member === undefined) return Result.fail(name)
    value = member
  }
  return Result.succeed(value)
}

/** Writes a reference as text. */
export const toText = ({ id, path }: Reference): string => `@{${[id, ...path].join(".")}}`
