/** Cases about formats whose batches can run as jobs. */
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Batch } from "../../batch/Batch.ts"
import type { ItemCodec } from "../../batch/Codec.ts"
import { failure } from "../../batch/Failure.ts"
import * as Limits from "../../batch/Limits.ts"
import { partial } from "../../batch/Strategy.ts"
import * as HostileJson from "./HostileJson.ts"
import { endings, finish, type Subject } from "./Subject.ts"

/** Declares the cases. */
export const items = <Input, Sent>(subject: Subject<Input, Sent>, codec: ItemCodec<Input>): void => {
  const { sent, write } = subject
  const { list, decode, encode } = subject.codec
  const limits = Limits.make({ operations: 100 })
  const decodeBatch = (value: unknown): Batch<Input> =>
    Result.getOrThrow(
      decode({ value, text: undefined, bytes: undefined }, { limits, strategy: { default: partial, choices: [] } }),
    )

  describe("items", () => {
    it("decodes an item into the same operation as a batch does", () => {
      fc.assert(
        fc.property(sent, (operations) => {
          const body = write(operations)
          const values = body[list] as ReadonlyArray<unknown>
          const decoded = values.map((value, index) => codec.decodeItem(value, index, undefined))
          expect(decoded).toEqual(decodeBatch(body).operations)
        }),
      )
    })

    it("decodes any value without throwing", () => {
      fc.assert(
        fc.property(HostileJson.values, (value) => {
          const { index, result } = codec.decodeItem(value, 7, undefined)
          expect(index).toBe(7)
          expect(result?.outcome).not.toBe("success")
        }),
      )
    })

    it("gives an operation the refusal as its result, whatever the item is", () => {
      const refusal = failure("PAYLOAD_TOO_LARGE", "too large")
      fc.assert(
        fc.property(fc.option(HostileJson.values, { nil: undefined }), (value) => {
          expect(codec.decodeItem(value, 7, refusal)).toMatchObject({ index: 7, result: { failure: refusal } })
        }),
      )
    })

    it("encodes results without line feeds, and decodes them so that the response is the same", () => {
      fc.assert(
        fc.property(sent, fc.infiniteStream(endings), (operations, ends) => {
          const batch = decodeBatch(write(operations))
          finish(batch, ends, subject)
          const texts = batch.operations.map((operation, index) => codec.encodeResult(operation, { index, data: true }))
          expect(texts.filter((text) => text.includes("\n"))).toEqual([])
          const decoded = { ...batch, operations: texts.map(codec.decodeResult) }
          for (const prefer of [undefined, "minimal", "representation"] as const) {
            const options = { prefer, responseBytes: undefined }
            expect(encode(decoded, options)).toEqual(encode(batch, options))
          }
        }),
      )
    })
  })
}
