/**
 * Tells whether something may have been seen before, in little memory however much was seen: a Bloom filter, which errs on
 * the side of having seen it.
 */
export class BloomFilter {
  private readonly bits: Uint32Array
  private readonly mask: number

  /** `expected`: how many different texts there are about; one in a hundred new ones is then taken for a known one. */
  constructor(expected: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(1024, expected * 10)))
    this.bits = new Uint32Array(size / 32)
    this.mask = size - 1
  }

  /** Notes a text, and tells whether it may have been noted before. */
  note(text: string): boolean {
    const [first, second] = hashes(text)
    let known = true
    for (let round = 0; round < rounds; round++) {
      const bit = (first + Math.imul(round, second)) & this.mask
      const word = bit >>> 5
      const flag = 1 << (bit & 31)
      if ((this.bits[word]! & flag) === 0) known = false
      this.bits[word]! |= flag
    }
    return known
  }
}

const rounds = 7

// FNV-1a twice, from unlike beginnings: what matters is speed and spread, not secrecy.
const hashes = (text: string): readonly [number, number] => {
  let first = 0x811c9dc5
  let second = 0x9747b28c
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    first = Math.imul(first ^ unit, 0x01000193)
    second = Math.imul(second ^ unit, 0x85ebca6b)
  }
  return [first ^ (first >>> 15), (second ^ (second >>> 13)) | 1]
}
