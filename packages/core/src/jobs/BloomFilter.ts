/**
 * A Bloom filter: tells in little memory whether a text may have been added before. It never misses one that was, and is wrong
 * about one in a hundred that were not.
 */
export class BloomFilter {
  private readonly bits: Uint32Array
  private readonly mask: number

  /** `expected` is the approximate number of different texts. */
  constructor(expected: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(1024, expected * 10)))
    this.bits = new Uint32Array(size / 32)
    this.mask = size - 1
  }

  /** Adds a text. Returns whether it may have been added before. */
  add(text: string): boolean {
    const [first, second] = hashes(text)
    let isKnown = true
    for (let round = 0; round < rounds; round++) {
      const bit = (first + Math.imul(round, second)) & this.mask
      const word = bit >>> 5
      const flag = 1 << (bit & 31)
      if ((this.bits[word]! & flag) === 0) isKnown = false
      this.bits[word]! |= flag
    }
    return isKnown
  }
}

const rounds = 7

// FNV-1a with two different offsets: speed and spread matter here, secrecy does not.
const hashes = (text: string): readonly [number, number] => {
  let first = 0x811c9dc5
  let second = 0x9747b28c
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    first = Math.imul(first ^ unit, 0x01000193)
    second = Math.imul(second ^ unit, 0x85ebca6b)
  }
  return [first ^ (first >>> 15), (second ^ (second >>> 13)) | 1]
}
