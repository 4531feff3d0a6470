import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { BatchError } from "../../src/batch/BatchError.ts"
import { type Line, type LineLimits, readLines } from "../../src/http/readNdjson.ts"

const limits: LineLimits = { operations: 100, operationBytes: 50, bodyBytes: 1_000, receiveMs: 1_000 }
const encoder = new TextEncoder()

const upload = async function* (...chunks: ReadonlyArray<Uint8Array | string>): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield typeof chunk === "string" ? encoder.encode(chunk) : chunk
}

const read = async (bytes: AsyncIterable<Uint8Array>, given: Partial<LineLimits> = {}) => {
  const lines: Array<Line> = []
  for await (const line of readLines(bytes, { ...limits, ...given })) lines.push(line)
  return lines
}

const readTexts = async (bytes: AsyncIterable<Uint8Array>, given: Partial<LineLimits> = {}) =>
  (await read(bytes, given)).map((line) => ("text" in line ? line.text : line))

const rejection = (bytes: AsyncIterable<Uint8Array>, given: Partial<LineLimits> = {}) =>
  read(bytes, given).then(
    () => undefined,
    (error: unknown) => (error instanceof BatchError ? error.reason : error),
  )

describe("readLines", () => {
  it("yields the same lines for every division of the upload into chunks", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.string({ unit: "grapheme", maxLength: 10 }).map((text) => JSON.stringify(text)),
          { maxLength: 20 },
        ),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        fc.boolean(),
        async (lines, sizes, endsWithLineFeed) => {
          const bytes = encoder.encode(lines.join("\n") + (endsWithLineFeed ? "\n" : ""))
          const chunks: Array<Uint8Array> = []
          for (let at = 0; at < bytes.length;) {
            const size = sizes.next().value as number
            chunks.push(bytes.slice(at, (at += size)))
          }
          expect(await readTexts(upload(...chunks), { operationBytes: 1_000, bodyBytes: 1e6 })).toEqual(lines)
        },
      ),
    ))

  it("accepts CR LF and skips empty lines", async () => {
    expect(await readTexts(upload(`{"a":1}\r\n\n  \n{"b":2}`))).toEqual([`{"a":1}\r`, `{"b":2}`])
  })

  it("yields a fault in the place of a line that is too large or not UTF-8", async () => {
    const large = `"${"x".repeat(60)}"`
    const broken = Uint8Array.of(0x22, 0xff, 0x22, 0x0a)
    expect(await read(upload("1\n", large.slice(0, 55), large.slice(55), "\n", broken, "2"))).toMatchObject([
      { text: "1" },
      { fault: { code: "PAYLOAD_TOO_LARGE", message: "Line 2 has 62 bytes, at most 50 are allowed" } },
      { fault: { code: "VALIDATION_ERROR", message: expect.stringContaining("Line 3 is not UTF-8") } },
      { text: "2" },
    ])
  })

  it("yields a line that looks like a fault as the text that it is", async () => {
    expect(await read(upload(`!413 5\n!400 x\n!{"code":"CONFLICT"}`))).toEqual([
      { text: "!413 5" },
      { text: "!400 x" },
      { text: `!{"code":"CONFLICT"}` },
    ])
  })

  it("fails if there are too many lines or too many bytes", async () => {
    expect(await rejection(upload("1\n".repeat(101)))).toMatchObject({ code: "TOO_MANY_OPERATIONS", limit: 100 })
    expect(await rejection(upload(" ".repeat(1_001)))).toMatchObject({ code: "PAYLOAD_TOO_LARGE", limit: 1_000 })
  })

  it("fails if the upload stalls", async () => {
    const stalling = async function* () {
      yield encoder.encode("1\n")
      await new Promise(() => undefined)
    }
    expect(await rejection({ [Symbol.asyncIterator]: stalling }, { receiveMs: 20 })).toMatchObject({ code: "TIMEOUT" })
  })

  it("fails if the client aborts the upload", async () => {
    const aborting = async function* () {
      yield encoder.encode("1\n")
      throw new Error("aborted")
    }
    expect(await rejection(aborting())).toMatchObject({ code: "CANCELLED" })
  })
})
