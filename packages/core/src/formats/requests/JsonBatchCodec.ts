/**
 * JSON batches of sub-requests: `{"requests":[{"id","method","url","headers","body","dependsOn"}]}` in,
 * `{"responses":[{"id","status","headers","body"}]}` out, as clients of Microsoft Graph and OData 4.01 speak it.
 */
import * as Result from "effect/Result"
import * as Strategy from "../../batch/Strategy.ts"
import type { HeaderRules } from "../../http/HeaderRules.ts"
import type { SubRequest } from "./SubRequest.ts"
import type { Codec } from "../../batch/Codec.ts"
import * as AtomicityGroups from "./AtomicityGroups.ts"
import * as OperationList from "../OperationList.ts"
import { storedReplies } from "./storedReplies.ts"
import * as SubRequests from "./SubRequestDecoder.ts"
import * as SubResponses from "./SubResponseEncoder.ts"

/** Which headers a JSON batch lets in, and which it shows. */
export interface JsonBatchOptions extends SubResponses.SubResponseOptions {
  readonly headers: HeaderRules
  /** Whether the header `Idempotency-Key` of sub-requests is read. Default false. */
  readonly keyed?: boolean | undefined
}

/** The codec of JSON batches. The answer is always 200. */
export const make = (options: JsonBatchOptions): Codec<SubRequest> => {
  const list = "requests"
  const encodeResponses = SubResponses.encoder(options)
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
        const operations = yield* SubRequests.decode(items, {
          groups,
          keyed: options.keyed ?? false,
          headers: options.headers,
          tooLarge: OperationList.sizeGuard(envelope, decoding),
          mayRefer: envelope.text === undefined || /@\{|\\u00/.test(envelope.text),
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
