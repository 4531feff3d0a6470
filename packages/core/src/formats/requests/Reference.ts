/**
 * References of one sub-request to the reply of an earlier one: `@{req-1.body.id}`, `@{req-1.headers.location}`,
 * `@{req-1.status}`. A reference is a parsed path over own properties; nothing is ever evaluated.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"

/** A part of the reply of the sub-request `id`. */
export interface Reference {
  readonly id: string
  readonly path: ReadonlyArray<string>
}

/** A string cut at its references. */
export type Template = ReadonlyArray<string | Reference>

/** The ids that references may begin with, ready to be looked for. */
export interface Names {
  readonly ids: ReadonlySet<string>
  /** The lengths that occur among the ids, longest first. */
  readonly lengths: ReadonlyArray<number>
}

export const names = (ids: ReadonlySet<string>): Names => ({
  ids,
  lengths: [...new Set(Array.from(ids, (id) => id.length))].sort((a, b) => b - a),
})

const longestPath = 1024

/**
 * Cuts a string at the references in it; undefined where it is text as it stands.
 *
 * **Details** `@{` begins a reference only if an id of this batch follows, the longest that fits, and then `.` and a
 * path of at most 1,024 characters, or `}`. Everything else is plain text. `@@{` stands for the text `@{`.
 */
export const parse = (text: string, among: Names): Template | undefined => {
  let start = text.indexOf("@{")
  if (start === -1) return undefined
  const parts: Array<string | Reference> = []
  let plain = ""
  let at = 0
  for (; start !== -1; start = text.indexOf("@{", at)) {
    if (start > at && text[start - 1] === "@") {
      plain += `${text.slice(at, start - 1)}@{`
      at = start + 2
      continue
    }
    const found = read(text, start + 2, among)
    plain += text.slice(at, found === undefined ? start + 2 : start)
    at = found?.end ?? start + 2
    if (found === undefined) continue
    if (plain !== "") parts.push(plain)
    parts.push(found.reference)
    plain = ""
  }
  plain += text.slice(at)
  if (plain !== "" || parts.length === 0) parts.push(plain)
  return parts
}

const read = (text: string, start: number, { ids, lengths }: Names) => {
  // An id may itself hold dots and braces, so the ids are tried, not the text cut at its dots.
  for (const length of lengths) {
    const next = text[start + length]
    if (next !== "." && next !== "}") continue
    const id = text.slice(start, start + length)
    if (!ids.has(id)) continue
    const rest = text.slice(start + length, start + length + longestPath + 2)
    const end = rest.indexOf("}")
    if (end === -1) return undefined
    const path = end === 0 ? [] : rest.slice(1, end).split(".")
    return { reference: { id, path }, end: start + length + end + 1 }
  }
  return undefined
}

/**
 * How much work `parse` may make of a text: marks times lengths to try. Ordinary batches stay far below a million;
 * a text full of marks against hundreds of unlike ids does not.
 */
export const effort = (text: string, { lengths }: Names): number => {
  let marks = 0
  for (let at = text.indexOf("@{"); at !== -1; at = text.indexOf("@{", at + 2)) marks++
  return marks * lengths.length
}

/** Follows a path of own properties, and of indexes of arrays; fails with the member that is not there. */
export const follow = (root: unknown, path: ReadonlyArray<string>): Result.Result<unknown, string> => {
  let value = root
  for (const name of path) {
    if (!Predicate.isObjectOrArray(value) || !Object.hasOwn(value, name)) return Result.fail(name)
    if (Array.isArray(value) && !/^(0|[1-9]\d*)$/.test(name)) return Result.fail(name)
    value = (value as Record<string, unknown>)[name]
  }
  return value === undefined ? Result.fail(path.at(-1) ?? "") : Result.succeed(value)
}

/** How a reference is written, for messages. */
export const toText = ({ id, path }: Reference): string => `@{${[id, ...path].join(".")}}`
