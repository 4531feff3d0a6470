/**
 * Counts the items and the depth of a JSON text while its bytes arrive. A body with too many items is refused before it
 * is held in memory or parsed. The scanner does not check whether the text is valid JSON.
 */

const byteOf = {
  quote: 0x22,
  backslash: 0x5c,
  comma: 0x2c,
  openArray: 0x5b,
  closeArray: 0x5d,
  openObject: 0x7b,
  closeObject: 0x7d,
}

/** Whether the bytes scanned so far are within the limits. */
export type ScanResult = "within" | "too many" | "too deep"

/** A scanner of one JSON text. */
export class JsonScanner {
  /** Items of the longest array that is a member of the envelope, so far. */
  count = 0
  private readonly maximumItems: number
  private readonly maximumDepth: number
  private depth = 0
  private inString = false
  private escaped = false
  private inList = false
  private items = 0
  private betweenItems = false

  constructor(maximumItems: number, maximumDepth: number) {
    this.maximumItems = maximumItems
    this.maximumDepth = maximumDepth
  }

  /** Scans the next bytes; stops where a limit is exceeded. */
  scan(bytes: Uint8Array): ScanResult {
    for (let index = 0; index < bytes.length; index++) {
      const byte = bytes[index]!
      if (this.inString) {
        if (this.escaped) this.escaped = false
        else if (byte === byteOf.backslash) this.escaped = true
        else if (byte === byteOf.quote) this.inString = false
        continue
      }
      // After `[` or `,`, the first byte that is not white space begins an item.
      if (byte <= 0x20) continue
      if (this.betweenItems && byte !== byteOf.closeArray) {
        this.betweenItems = false
        if (++this.items > this.count) this.count = this.items
        if (this.count > this.maximumItems) return "too many"
      }
      if (byte === byteOf.quote) this.inString = true
      else if (byte === byteOf.comma) this.betweenItems = this.inList && this.depth === 2
      else if (byte === byteOf.openArray || byte === byteOf.openObject) {
        if (++this.depth > this.maximumDepth) return "too deep"
        if (this.depth === 2) this.openMember(byte === byteOf.openArray)
      } else if (byte === byteOf.closeArray || byte === byteOf.closeObject) {
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
