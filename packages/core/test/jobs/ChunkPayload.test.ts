import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { failure } from "../../src/batch/Failure.ts"
import type { Line } from "../../src/http/readNdjson.ts"
import { readLines, writeLine } from "../../src/jobs/ChunkPayload.ts"

describe("the payload of a chunk", () => {
  const texts = fc
    .tuple(fc.constantFrom("", "!", "!!", "!{"), fc.string({ unit: "binary" }))
    .map(([prefix, text]): Line => ({ text: `${prefix}${text.replaceAll(/[\n\0]/g, "")}` }))
  const faults = fc
    .tuple(fc.constantFrom("PAYLOAD_TOO_LARGE", "VALIDATION_ERROR"), fc.string({ unit: "binary" }))
    .map(([code, message]): Line => ({ fault: failure(code, message) }))

  it("is read as the lines that were written, whatever they are", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(texts, faults), { minLength: 1 }), (lines) => {
        expect(readLines(lines.map(writeLine).join("\n"))).toEqual(lines)
      }),
    )
  })

  it("has a fault in place of a text with a NUL character, which is not JSON", () => {
    const written = writeLine({ text: `{"action":"cre\0ate"}` })
    expect(written).not.toContain("\0")
    expect(readLines(written)).toEqual([{ fault: expect.objectContaining({ code: "VALIDATION_ERROR" }) }])
  })

  it("contains a JSON text as it was sent", () => {
    expect(writeLine({ text: `{"action":"create"}` })).toBe(`{"action":"create"}`)
  })
})
