/**
 * Counts the operations and the depth of a JSON text while its bytes arrive. A body with too many operations is refused
 * before it is held in memory or parsed. The scanner does not check whether the text is valid JSON.
 */

const byteOf = {
  quote: 0x22,
  backslash: 0x5c,
  comma: 0x2c,
  colon: 0x3a,
  openArray: 0x5b,
  closeArray: 0x5d,
  openObject: 0x7b,
  closeObject: 0x7d,
}

/** Whether the bytes scanned so far are within the limits. */
export type ScanResult = "within" | "too many" | "too deep" | "too many members"

/** How many members an envelope may have. It needs no more than a few; the names of many would take long to parse. */
export const maximumMembers = 1_000

/** Bytes that an escape sequence takes at most for one character (`\u0072`). */
const escapeBytes = 6

/** A scanner of one JSON text. */
export class JsonScanner {
  /** Operations so far. */
  count = 0
  private readonly list: string
  private readonly listBytes: Uint8Array
  private readonly maximumItems: number
  private readonly maximumDepth: number
  private depth = 0
  private inString = false
  private escaped = false
  /** The string at the level of the envelope that is read: a member name, or a value. Longer ones are not kept. */
  private name: Array<number> = []
  private keepsName = false
  /** Whether the name before the last colon of the envelope is that of the list. */
  private isListNext = false
  private inList = false
  private members = 0
  private items = 0
  private betweenItems = false

  /** `list` is the member of the envelope that holds the operations. */
  constructor(list: string, maximumItems: number, maximumDepth: number) {
    this.list = list
    this.listBytes = new TextEncoder().encode(list)
    this.maximumItems = maximumItems
    this.maximumDepth = maximumDepth
  }

  /** Scans the next bytes; stops where a limit is exceeded. */
  scan(bytes: Uint8Array): ScanResult {
    for (let index = 0; index < bytes.length; index++) {
      const byte = bytes[index]!
      if (this.inString) {
        this.scanString(byte)
        continue
      }
      // After `[` or `,`, the first byte that is not white space begins an item.
      if (byte <= 0x20) continue
      if (this.betweenItems && byte !== byteOf.closeArray) {
        this.betweenItems = false
        if (++this.items > this.count) this.count = this.items
        if (this.count > this.maximumItems) return "too many"
      }
      if (byte === byteOf.quote) this.openString()
      else if (byte === byteOf.colon) {
        if (this.depth !== 1) continue
        if (++this.members > maximumMembers) return "too many members"
        this.isListNext = this.isListName()
      } else if (byte === byteOf.comma) this.betweenItems = this.inList && this.depth === 2
      else if (byte === byteOf.openArray || byte === byteOf.openObject) {
        if (++this.depth > this.maximumDepth) return "too deep"
        if (this.depth === 2) this.openMember(byte === byteOf.openArray && this.isListNext)
      } else if (byte === byteOf.closeArray || byte === byteOf.closeObject) {
        this.depth--
        if (this.depth < 2) this.inList = this.betweenItems = false
      }
    }
    return "within"
  }

  private openString(): void {
    this.inString = true
    this.keepsName = this.depth === 1
    if (this.keepsName) this.name = []
  }

  private scanString(byte: number): void {
    if (this.escaped) this.escaped = false
    else if (byte === byteOf.backslash) this.escaped = true
    else if (byte === byteOf.quote) {
      this.inString = false
      return
    }
    if (this.keepsName && this.name.length <= this.list.length * escapeBytes) this.name.push(byte)
  }

  private isListName(): boolean {
    const { name, listBytes } = this
    if (name.length === listBytes.length && name.every((byte, index) => byte === listBytes[index])) return true
    if (!name.includes(byteOf.backslash)) return false
    try {
      return JSON.parse(`"${new TextDecoder().decode(Uint8Array.from(name))}"`) === this.list
    } catch {
      return false
    }
  }

  private openMember(isList: boolean): void {
    this.inList = isList
    this.betweenItems = isList
    this.items = 0
    this.isListNext = false
  }
}
