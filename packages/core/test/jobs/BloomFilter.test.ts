import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { BloomFilter } from "../../src/jobs/BloomFilter.ts"

describe("BloomFilter", () => {
  it("finds every text that was added", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (texts) => {
        const filter = new BloomFilter(10)
        for (const text of texts) filter.add(text)
        expect(texts.every((text) => filter.add(text))).toBe(true)
      }),
    )
  })

  it("is wrong about fewer than one in a hundred new texts, up to the expected number", () => {
    const filter = new BloomFilter(50_000)
    let falsePositives = 0
    for (let number = 0; number < 50_000; number++) if (filter.add(`u_${number}`)) falsePositives++
    expect(falsePositives).toBeLessThan(500)
  })
})
