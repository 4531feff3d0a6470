/** Encodes the responses of a JSON batch. The text of a JSON reply is copied as the application wrote it. */
import type { Batch } from "../../batch/Batch.ts"
import * as Json from "../../batch/Json.ts"
import type { Operation } from "../../batch/Operation.ts"
import { tooLarge } from "../MultiStatus.ts"
import type { Reply, SubRequest } from "./SubRequest.ts"
import * as SubResponse from "./SubResponse.ts"

/** Encodes the responses of a batch; `responseBytes` is the maximum size of all of them. */
type Encoder = (batch: Batch<SubRequest>, responseBytes: number | undefined) => string

/**
 * Creates the encoder of an endpoint.
 *
 * **Details** A response that no longer fits is replaced by an error; smaller ones after it may still fit.
 */
export const encoder = (options: SubResponse.SubResponseOptions): Encoder => {
  const show = SubResponse.replyView(options)
  return (batch, responseBytes) => {
    let remainingBytes = responseBytes ?? Number.POSITIVE_INFINITY
    const responses = batch.operations.map((operation) => {
      const { text, bytes } = encodeOne(operation, show, options)
      if (bytes > remainingBytes) return SubResponse.writeFailure(operation.id, tooLarge(operation.result!), options)
      remainingBytes -= bytes
      return text
    })
    return `{"responses":[${responses.join(",")}]}`
  }
}

const encodeOne = (
  { id, result }: Operation,
  show: SubResponse.ShowReply,
  options: SubResponse.SubResponseOptions,
): { readonly text: string; readonly bytes: number } => {
  const { failure = isTruncated(result!.value) ? tooLarge(result!) : undefined, replayed, value } = result!
  if (failure !== undefined) {
    const text = SubResponse.writeFailure(id, failure, options, replayed)
    return { text, bytes: Json.utf8Length(text) }
  }
  const shown = show(value as Reply)
  return { text: SubResponse.write(id, shown, replayed), bytes: SubResponse.byteLength(id, shown) }
}

const isTruncated = (value: unknown): boolean => (value as Reply | undefined)?.truncated === true
