/**
 * The text of a valid JSON value, read part by part. Values are copied as they were written: parsing and printing would
 * change a number such as 9007199254740993 or 1.0.
 */

const codeOf = { quote: 0x22, backslash: 0x5c, openArray: 0x5b, closeArray: 0x5d, openObject: 0x7b, closeObject: 0x7d }

/** A JSON value inside of a text. The members of an object or array are located when the first one is read. */
export class JsonText {
  /** Position of the first character of the value. */
  readonly start: number
  /** Position after its last character. */
  readonly end: number
  private readonly text: string
  private members: ReadonlyMap<string, JsonText> | undefined
  private elements: ReadonlyArray<JsonText> | undefined

  /** Reads the value between two positions of a text that is valid JSON. Default: the whole text. */
  constructor(text: string, start = skipSpace(text, 0), end = text.length) {
    this.text = text
    this.start = start
    this.end = end
  }

  /** The value as it was written. */
  get raw(): string {
    return this.text.slice(this.start, this.end)
  }

  /** Returns the member of an object, or the element of an array by its index; undefined if there is none. */
  member(name: string): JsonText | undefined {
    const code = this.text.charCodeAt(this.start)
    if (code === codeOf.openObject) return (this.members ??= this.readMembers()).get(name)
    return /^(?:0|[1-9]\d*)$/.test(name) ? this.items?.[Number(name)] : undefined
  }

  /** The elements of an array; undefined for any other value. */
  get items(): ReadonlyArray<JsonText> | undefined {
    if (this.text.charCodeAt(this.start) !== codeOf.openArray) return undefined
    return (this.elements ??= this.readElements())
  }

  /** Returns up to `count` members of an object, in order, whose values have at most `length` characters. */
  shortMembers(count: number, length: number): ReadonlyArray<readonly [name: string, value: JsonText]> {
    const members: Array<readonly [string, JsonText]> = []
    for (const member of this.eachMember()) {
      if (member[1].end - member[1].start <= length) members.push(member)
      if (members.length === count) break
    }
    return members
  }

  // Of several members with one name the last counts, as with `JSON.parse`.
  private readMembers(): ReadonlyMap<string, JsonText> {
    return new Map(this.eachMember())
  }

  private *eachMember(): Generator<readonly [name: string, value: JsonText]> {
    const { text } = this
    let position = skipSpace(text, this.start + 1)
    while (position < this.end && text.charCodeAt(position) === codeOf.quote) {
      const nameEnd = endOfString(text, position)
      const start = skipSpace(text, skipSpace(text, nameEnd) + 1)
      const end = endOfValue(text, start)
      yield [contentOf(text.slice(position, nameEnd)), new JsonText(text, start, end)]
      position = skipSpace(text, skipSpace(text, end) + 1)
    }
  }

  private readElements(): ReadonlyArray<JsonText> {
    const { text } = this
    const elements: Array<JsonText> = []
    let position = skipSpace(text, this.start + 1)
    if (text.charCodeAt(position) === codeOf.closeArray) return elements
    while (position < this.end) {
      const end = endOfValue(text, position)
      elements.push(new JsonText(text, position, end))
      position = skipSpace(text, skipSpace(text, end) + 1)
    }
    return elements
  }
}

/** Whether printing the parsed value of a JSON text may change a number. True for some texts where it does not. */
export const mayChangeNumbers = (text: string): boolean => /\d{16}|\d[.eE]|-0/.test(text)

/**
 * Replaces strings in a JSON text. `replace` gets the content of each string that contains `@{`, and returns the JSON text to
 * put in its place, or undefined to keep it. Names of members are not replaced.
 */
export const replaceStrings = (text: string, replace: (content: string) => string | undefined): string => {
  const parts: Array<string> = []
  let copied = 0
  let mark = text.indexOf("@{")
  let escape = text.indexOf("\\u")
  for (let start = text.indexOf('"'); start !== -1;) {
    const end = endOfString(text, start)
    if (mark !== -1 && mark < start) mark = text.indexOf("@{", start)
    if (escape !== -1 && escape < start) escape = text.indexOf("\\u", start)
    const mayHaveMark = (mark !== -1 && mark < end) || (escape !== -1 && escape < end)
    if (mayHaveMark && text[skipSpace(text, end)] !== ":") {
      const content = contentOf(text.slice(start, end))
      const replacement = content.includes("@{") ? replace(content) : undefined
      if (replacement !== undefined) {
        parts.push(text.slice(copied, start), replacement)
        copied = end
      }
    }
    start = text.indexOf('"', end)
  }
  parts.push(text.slice(copied))
  return parts.join("")
}

const contentOf = (token: string): string => (token.includes("\\") ? (JSON.parse(token) as string) : token.slice(1, -1))

const skipSpace = (text: string, start: number): number => {
  let position = start
  while (position < text.length && text.charCodeAt(position) <= 0x20) position++
  return position
}

// Returns the position after the closing quote.
const endOfString = (text: string, start: number): number => {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let first = quote
    while (text.charCodeAt(first - 1) === codeOf.backslash) first--
    if ((quote - first) % 2 === 0) return quote + 1
  }
  return text.length
}

const endOfValue = (text: string, start: number): number => {
  const code = text.charCodeAt(start)
  if (code === codeOf.quote) return endOfString(text, start)
  if (code === codeOf.openArray || code === codeOf.openObject) return endOfContainer(text, start)
  let end = start
  while (end < text.length && !/[\s,\]}]/.test(text[end]!)) end++
  return end
}

const endOfContainer = (text: string, start: number): number => {
  let depth = 0
  for (let position = start; position < text.length; position++) {
    const code = text.charCodeAt(position)
    if (code === codeOf.quote) position = endOfString(text, position) - 1
    else if (code === codeOf.openArray || code === codeOf.openObject) depth++
    else if ((code === codeOf.closeArray || code === codeOf.closeObject) && --depth === 0) return position + 1
  }
  return text.length
}
