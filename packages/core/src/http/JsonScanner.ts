/**
 * Counts the items and the depth of a JSON text while its bytes arrive, so that a body with too many is refused before
 * it is held in memory, let alone parsed. Checks nothing else of the text.
 */

const at = {
  quote: 0x22,
  backslash: 0x5c,
  comma: 0x2c,
  openArray: 0x5b,
  closeArray: 0x5d,
  openObject: 0x7b,
  closeObject: 0x7d,
}

/** What a scanner found so far. */
export type Finding = "within" | "too many" | "too deep"

export class JsonScanner {
  /** Items of the longest array directly in the envelope, so far. */
  count = 0
  private readonly maximum: number
  private readonly deepest: number
  private depth = 0
  private inString = false
  private escaped = false
  private inList = false
  private items = 0
  private betweenItems = false

  constructor(maximum: number, deepest: number) {
    this.maximum = maximum
    this.deepest = deepest
  }

  /** Looks at the next bytes; stops at the first finding. */
  scan(bytes: Uint8Array): Finding {
    for (let index = 0; index < bytes.length; index++) {
      const byte = bytes[index]!
      if (this.inString) {
        if (this.escaped) this.escaped = false
        else if (byte === at.backslash) this.escaped = true
        else if (byte === at.quote) this.inString = false
        continue
      }
      // White space never begins an item; everything else after `[` or `,` does.
      if (byte <= 0x20) continue
      if (this.betweenItems && byte !== at.closeArray) {
        this.betweenItems = false
        if (++this.items > this.count) this.count = this.items
        if (this.count > this.maximum) return "too many"
      }
      if (byte === at.quote) this.inString = true
      else if (byte === at.comma) this.betweenItems = this.inList && this.depth === 2
      else if (byte === at.openArray || byte === at.openObject) {
        if (++this.depth > this.deepest) return "too deep"
        if (this.depth === 2) this.openMember(byte === at.openArray)
      } else if (byte === at.closeArray || byte === at.closeObject) {
        this.depth--
        if (this.depth < 2) this.inList = this.betweenItems = false
      }
    }
    return "within"
  }

  private openMember(isArray: boolean): void {
    this.inList = isArray
    this.betweenItems = isArray
    this.items = 0
  }
}
