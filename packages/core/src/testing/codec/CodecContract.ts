/**
 * What every wire format owes, as tests: the contract of the port `Codec`. Needs vitest and fast-check.
 *
 * **Example** (A codec of one's own)
 * ```ts
 * import { CodecContract } from "@multistatus/core/testing"
 *
 * CodecContract.suite("lines", { codec, sent, write, see, success, read })
 * ```
 */
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Batch } from "../../batch/Batch.ts"
import type { BatchError } from "../../batch/BatchError.ts"
import { failure } from "../../batch/Failure.ts"
import * as Limits from "../../batch/Limits.ts"
import { OperationResult } from "../../batch/OperationResult.ts"
import * as Plan from "../../planning/Plan.ts"
import { partial } from "../../batch/Strategy.ts"
import type { DecodeOptions, EncodeOptions, Envelope } from "../../batch/Codec.ts"
import * as HostileJson from "./HostileJson.ts"
import { items } from "./items.ts"
import { endings, finish, type Subject } from "./Subject.ts"

export type { Reading, Subject } from "./Subject.ts"

/** No input may keep a codec busy for longer; sound ones take microseconds. */
const longestMs = 1_000

const decoding: DecodeOptions = {
  limits: Limits.make({ operations: 100 }),
  strategy: { default: partial, choices: ["partial", "stop-after"] },
}
const encoding: EncodeOptions = { responseBytes: undefined, prefer: undefined }

const parsed = (value: unknown): Envelope => ({ value, text: undefined, bytes: undefined })

const received = (text: string): Envelope => ({
  value: JSON.parse(text),
  text,
  bytes: new TextEncoder().encode(text).length,
})

/** Declares the tests of a codec. */
export const suite = <Input, Sent>(name: string, subject: Subject<Input, Sent>): void => {
  const { codec, sent, write, see } = subject

  const decode = (envelope: Envelope, options = decoding): Batch<Input> =>
    Result.getOrThrowWith(codec.decode(envelope, options), (error) => error)
  const refusal = (value: unknown, options = decoding): BatchError =>
    Result.getOrThrow(Result.flip(codec.decode(parsed(value), options)))
  const withList = (items: unknown) => ({ ...write([]), [codec.list]: items })

  describe(`Codec (${name})`, () => {
    it("decodes the operations that a client wrote, in their order", () => {
      fc.assert(
        fc.property(sent, (operations) => {
          const body = write(operations)
          for (const envelope of [parsed(body), received(JSON.stringify(body))]) {
            const batch = decode(envelope)
            expect(batch.operations.map(see)).toEqual(operations)
            expect(batch.operations.map(({ index }) => index)).toEqual(operations.map((_, index) => index))
            expect(batch.operations.every(({ result }) => result === undefined)).toBe(true)
          }
        }),
      )
    })

    it("makes operations depend on operations of the same batch alone", () => {
      fc.assert(
        fc.property(sent, (operations) => {
          const batch = decode(parsed(write(operations)))
          for (const { dependsOn } of batch.operations) {
            for (const { operation } of dependsOn) expect(batch.operations[operation.index]).toBe(operation)
          }
        }),
      )
    })

    it("tells the client the result of every operation, in request order", () => {
      fc.assert(
        fc.property(sent, fc.infiniteStream(endings), (operations, ends) => {
          const batch = decode(parsed(write(operations)))
          const expected = finish(batch, ends, subject)
          const { body } = codec.encode(batch, encoding)
          expect(subject.read(JSON.parse(body))).toEqual(expected)
        }),
      )
    })

    it("replaces results that the response has no room for, and never leaves one out", () => {
      fc.assert(
        fc.property(sent, fc.infiniteStream(endings), fc.nat(2_000), (operations, ends, responseBytes) => {
          const batch = decode(parsed(write(operations)))
          const expected = finish(batch, ends, subject)
          const readings = subject.read(JSON.parse(codec.encode(batch, { ...encoding, responseBytes }).body))
          expect(readings).toHaveLength(expected.length)
          for (const [index, reading] of readings.entries()) {
            if (reading.code !== "RESPONSE_TOO_LARGE") expect(reading).toEqual(expected[index])
          }
        }),
      )
    })

    it("counts the operations before it looks at any of them", () => {
      const untouchable = new Proxy(
        {},
        { get: untouched, has: untouched, ownKeys: untouched, getPrototypeOf: untouched },
      )
      const error = refusal(withList(Array.from({ length: 101 }, () => untouchable)))
      expect(error.reason).toMatchObject({ code: "TOO_MANY_OPERATIONS", limit: 100, actual: 101 })
    })

    it("takes as many operations as are allowed", () => {
      fc.assert(
        fc.property(sent, (operations) => {
          const { length } = operations
          const options = { ...decoding, limits: { ...decoding.limits, operations: length } }
          expect(decode(parsed(write(operations)), options).operations).toHaveLength(length)
          if (length === 1) return
          const stricter = { ...decoding, limits: { ...decoding.limits, operations: length - 1 } }
          expect(refusal(write(operations), stricter).reason).toMatchObject({ limit: length - 1, actual: length })
        }),
      )
    })

    it("refuses an envelope without operations", () => {
      expect(refusal(withList([])).reason.code).toBe("EMPTY_BATCH")
      for (const value of [
        undefined,
        null,
        7,
        "x",
        [],
        {},
        withList(undefined),
        withList(null),
        withList({ length: 1 }),
      ]) {
        expect(refusal(value).reason.code).toBe("INVALID_BATCH")
      }
    })

    it("refuses what is nested too deeply", () => {
      let deep: unknown = 0
      for (let level = 0; level < decoding.limits.depth; level++) deep = { a: deep }
      expect(refusal({ ...withList([{}]), more: deep }).reason.code).toBe("TOO_DEEP")
      expect(refusal(withList([deep])).reason.code).toBe("TOO_DEEP")
    })

    it("refuses a value that holds itself", () => {
      const item: Record<string, unknown> = {}
      item["data"] = item["body"] = item
      expect(refusal(withList([item])).reason.code).toBe("TOO_DEEP")
    })

    it("withstands any value as a body", () => {
      fc.assert(fc.property(HostileJson.values, (value) => withstands(subject, parsed(value))))
    })

    it("withstands any value as the list, and as an operation", () => {
      fc.assert(
        fc.property(HostileJson.values, fc.array(HostileJson.values, { maxLength: 5 }), (list, items) => {
          withstands(subject, parsed(withList(list)))
          withstands(subject, parsed(withList(items)))
        }),
      )
    })

    it("withstands any value in place of any member of a valid operation or of its envelope", () => {
      fc.assert(
        fc.property(sent, fc.array(tampering, { minLength: 1, maxLength: 4 }), (operations, changes) => {
          const body = structuredClone(write(operations))
          const items = body[codec.list] as ReadonlyArray<unknown>
          for (const change of changes) tamper(body, items, change)
          withstands(subject, parsed(body))
        }),
        { numRuns: 300 },
      )
    })

    it.each(
      [...HostileJson.texts(codec.list), ...(subject.hostile ?? []).map((body) => JSON.stringify(body))].map(brief),
    )("withstands %s", (_, text) => withstands(subject, received(text)))

    if (codec.items !== undefined) items(subject, codec.items)
  })
}

const brief = (text: string): [string, string] => [text.length > 80 ? `${text.slice(0, 80)}…` : text, text]

const untouched = (): never => {
  throw new Error("The codec looked at an operation before it counted")
}

interface Tampering {
  /** Which operation; undefined for the envelope. */
  readonly where: number | undefined
  /** A name, or the number of one that is there. */
  readonly member: string | number
  readonly value: unknown
}

const tampering: fc.Arbitrary<Tampering> = fc.record({
  where: fc.option(fc.nat(), { nil: undefined, freq: 8 }),
  member: fc.oneof(fc.nat(), fc.constantFrom(...HostileJson.names, "dependsOn", "atomic", "stop_after", "headers")),
  value: HostileJson.values,
})

const tamper = (body: object, items: ReadonlyArray<unknown>, { where, member, value }: Tampering): void => {
  const object = where === undefined ? body : items[where % items.length]
  if (typeof object !== "object" || object === null || Array.isArray(object)) return
  const names = Object.keys(object)
  const name = typeof member === "string" ? member : names[member % Math.max(1, names.length)]
  if (name === undefined) return
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
}

/** Decodes, plans and answers, whatever it is given, and finds nothing changed that a client must not change. */
const withstands = <Input, Sent>({ codec, read }: Subject<Input, Sent>, envelope: Envelope): void => {
  const before = HostileJson.prototypeMembers()
  const startedAt = performance.now()
  const decoded = codec.decode(envelope, decoding)
  if (Result.isSuccess(decoded)) {
    const { operations } = decoded.success
    const { list } = codec
    expect(operations).toHaveLength((envelope.value as Readonly<Record<string, ReadonlyArray<unknown>>>)[list]!.length)
    Plan.make(decoded.success, { concurrency: 10, coalesces: () => true })
    for (const operation of operations) {
      expect(HostileJson.isPolluted([operation.input, operation.id, operation.orderKey])).toBe(false)
      expect(operation.result?.outcome).not.toBe("success")
      operation.result ??= OperationResult.error(failure("CONFLICT", "refused"))
    }
    expect(read(JSON.parse(codec.encode(decoded.success, encoding).body))).toHaveLength(operations.length)
  } else {
    expect(decoded.failure.status).toBeGreaterThanOrEqual(400)
    expect(decoded.failure.status).toBeLessThan(500)
  }
  expect(performance.now() - startedAt).toBeLessThan(longestMs)
  expect(HostileJson.prototypeMembers()).toEqual(before)
}
