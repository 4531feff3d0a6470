/**
 * The codec of JSON batches: `{"requests":[{"id","method","url","headers","body","dependsOn"}]}` in,
 * `{"responses":[{"id","status","headers","body"}]}` out, the format of Microsoft Graph and OData 4.01.
 */
import * as Result from "effect/Result"
import * as Strategy from "../../batch/Strategy.ts"
import type { HeaderRules } from "../../http/HeaderRules.ts"
import type { SubRequest } from "./SubRequest.ts"
import type { Codec } from "../../batch/Codec.ts"
import * as AtomicityGroups from "./AtomicityGroups.ts"
import * as OperationList from "../OperationList.ts"
import { storedReplies } from "./storedReplies.ts"
import * as SubRequestDecoder from "./SubRequestDecoder.ts"
import * as SubResponseEncoder from "./SubResponseEncoder.ts"

/** Options of the codec: the headers of sub-requests and of sub-responses. */
export interface JsonBatchOptions extends SubResponseEncoder.SubResponseOptions {
  readonly headers: HeaderRules
  /** Whether the header `Idempotency-Key` of sub-requests is read. Default false. */
  readonly keyed?: boolean | undefined
}

/** Creates the codec of JSON batches. The status of a response is always 200. */
export const make = (options: JsonBatchOptions): Codec<SubRequest> => {
  const list = "requests"
  const encodeResponses = SubResponseEncoder.encoder(options)
  return {
    kind: "requests",
    list,
    format: storedReplies(options.exposeHeaders),
    decode: (envelope, decoding) =>
      Result.gen(function* () {
        const { envelope: members, items } = yield* OperationList.read(envelope, list, decoding)
        const strategy = yield* Strategy.choose(decoding.strategy, {
          atomic: members["atomic"],
          stopAfter: members["stop_after"],
        })
        const groups = yield* AtomicityGroups.read(items, decoding.strategy)
        const operations = yield* SubRequestDecoder.decode(items, {
          groups,
          keyed: options.keyed ?? false,
          headers: options.headers,
          tooLarge: OperationList.sizeGuard(envelope, decoding),
          mayHaveReferences: envelope.text === undefined || /@\{|\\u00/.test(envelope.text),
        })
        return { strategy, operations }
      }),
    encode: (batch, { responseBytes }) => ({
      status: 200,
      body: encodeResponses(batch, responseBytes),
      preferenceApplied: false,
    }),
  }
}
