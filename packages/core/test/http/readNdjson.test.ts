import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { BatchError } from "../../src/batch/BatchError.ts"
import { type LineLimits, readLines } from "../../src/http/readNdjson.ts"

const limits: LineLimits = { operations: 100, operationBytes: 50, bodyBytes: 1_000, receiveMs: 1_000 }
const encoder = new TextEncoder()

const arriving = async function* (...chunks: ReadonlyArray<Uint8Array | string>): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield typeof chunk === "string" ? encoder.encode(chunk) : chunk
}

const linesOf = async (bytes: AsyncIterable<Uint8Array>, given: Partial<LineLimits> = {}) => {
  const lines: Array<string> = []
  for await (const line of readLines(bytes, { ...limits, ...given })) lines.push(line)
  return lines
}

const refusal = (bytes: AsyncIterable<Uint8Array>, given: Partial<LineLimits> = {}) =>
  linesOf(bytes, given).then(
    () => undefined,
    (error: unknown) => (error instanceof BatchError ? error.reason : error),
  )

describe("lines", () => {
  it("are the same however they arrive", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.string({ unit: "grapheme", maxLength: 10 }).map((text) => JSON.stringify(text)),
          { maxLength: 20 },
        ),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        fc.boolean(),
        async (lines, sizes, ends) => {
          const bytes = encoder.encode(lines.join("\n") + (ends ? "\n" : ""))
          const chunks: Array<Uint8Array> = []
          for (let at = 0; at < bytes.length;) {
            const size = sizes.next().value as number
            chunks.push(bytes.slice(at, (at += size)))
          }
          expect(await linesOf(arriving(...chunks), { operationBytes: 1_000, bodyBytes: 1e6 })).toEqual(lines)
        },
      ),
    ))

  it("may end with CR LF, and empty ones are passed over", async () => {
    expect(await linesOf(arriving(`{"a":1}\r\n\n  \n{"b":2}`))).toEqual([`{"a":1}\r`, `{"b":2}`])
  })

  it("that are too long, or no UTF-8, are told of in their place", async () => {
    const long = `"${"x".repeat(60)}"`
    const broken = Uint8Array.of(0x22, 0xff, 0x22, 0x0a)
    expect(await linesOf(arriving("1\n", long.slice(0, 55), long.slice(55), "\n", broken, "2"))).toEqual([
      "1",
      "!413 62",
      "!400 This is not UTF-8",
      "2",
    ])
  })

  it("are refused beyond their number, and beyond the bytes of all", async () => {
    expect(await refusal(arriving("1\n".repeat(101)))).toMatchObject({ code: "TOO_MANY_OPERATIONS", limit: 100 })
    expect(await refusal(arriving(" ".repeat(1_001)))).toMatchObject({ code: "PAYLOAD_TOO_LARGE", limit: 1_000 })
  })

  it("are waited for only so long", async () => {
    const silent = async function* () {
      yield encoder.encode("1\n")
      await new Promise(() => undefined)
    }
    expect(await refusal({ [Symbol.asyncIterator]: silent }, { receiveMs: 20 })).toMatchObject({ code: "TIMEOUT" })
  })

  it("fail where the client goes away", async () => {
    const leaving = async function* () {
      yield encoder.encode("1\n")
      throw new Error("aborted")
    }
    expect(await refusal(leaving())).toMatchObject({ code: "CANCELLED" })
  })
})
