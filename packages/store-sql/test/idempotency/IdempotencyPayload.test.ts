import * as fc from "fast-check"
import { describe, expect, it } from "vitest"

import { escapePayload, unescapePayload } from "../../src/idempotency/IdempotencyPayload.ts"

const unit = fc.oneof(
  fc.constantFrom("\0", "\ue000", "\ud83d", "\ude00", "a", "0", "é", "\ue0000000"),
  fc.string({ unit: "grapheme" }),
)
const text = fc.array(unit).map((units) => units.join(""))

describe("IdempotencyPayload", () => {
  it("keeps JSON texts as they are", () => {
    fc.assert(fc.property(fc.json(), (json) => json.includes("\ue000") || escapePayload(json) === json))
  })

  it("restores any text from what every database can store", () => {
    fc.assert(
      fc.property(text, (original) => {
        const kept = escapePayload(original)
        expect(kept.isWellFormed()).toBe(true)
        expect(kept).not.toContain("\0")
        expect(unescapePayload(kept)).toBe(original)
      }),
    )
  })

  it("restores concatenated chunks", () => {
    fc.assert(
      fc.property(text, text, (first, second) => {
        expect(unescapePayload(escapePayload(first) + escapePayload(second))).toBe(first + second)
      }),
    )
  })
})
