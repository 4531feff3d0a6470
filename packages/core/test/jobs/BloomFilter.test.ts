import * as fc from "fast-check"
import { expect, it } from "vitest"
import { BloomFilter } from "../../src/jobs/BloomFilter.ts"

it("what was noted is known, whatever it is", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (texts) => {
      const repeats = new BloomFilter(10)
      for (const text of texts) repeats.note(text)
      expect(texts.every((text) => repeats.note(text))).toBe(true)
    }),
  )
})

it("what is new is taken for known rarely, as long as there is not more than was expected", () => {
  const repeats = new BloomFilter(50_000)
  let mistaken = 0
  for (let number = 0; number < 50_000; number++) if (repeats.note(`u_${number}`)) mistaken++
  expect(mistaken).toBeLessThan(500)
})
