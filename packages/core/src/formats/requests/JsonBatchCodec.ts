/**
 * The codec of JSON batches: `{"requests":[{"id","method","url","headers","body","dependsOn"}]}` in,
 * `{"responses":[{"id","status","headers","body"}]}` out, the format of Microsoft Graph and OData 4.01.
 */
import * as Result from "effect/Result"
import * as Strategy from "../../batch/Strategy.ts"
import type { HeaderRules } from "../../http/HeaderRules.ts"
import * as RequestTarget from "../../http/RequestTarget.ts"
import type { SubRequest } from "./SubRequest.ts"
import type { Codec, Envelope } from "../../batch/Codec.ts"
import { BatchError } from "../../batch/BatchError.ts"
import * as UnknownMember from "../UnknownMember.ts"
import * as AtomicityGroups from "./AtomicityGroups.ts"
import * as OperationList from "../OperationList.ts"
import { JsonText, mayChangeNumbers } from "../../batch/JsonText.ts"
import { storedReplies } from "./storedReplies.ts"
import * as SubRequestDecoder from "./SubRequestDecoder.ts"
import type { SubResponseOptions } from "./SubResponse.ts"
import * as SubResponseEncoder from "./SubResponseEncoder.ts"

/** Options of the codec: the headers of sub-requests and of sub-responses. */
export interface JsonBatchOptions extends SubResponseOptions {
  readonly headers: HeaderRules
  /** Whether the header `Idempotency-Key` of sub-requests is read. Default false. */
  readonly keyed?: boolean | undefined
  /** What happens to members that the format does not have. Default `"refuse"`. */
  readonly unknownMembers?: UnknownMember.UnknownMembers | undefined
  /** Returns the order key of a sub-request. Default: the normal form of the path for PUT, PATCH and DELETE. */
  readonly orderBy?: SubRequestDecoder.OrderRequestsBy | undefined
}

const list = "requests"

/** Creates the codec of JSON batches. The status of a response is always 200. */
export const make = (options: JsonBatchOptions): Codec<SubRequest> => {
  const encodeResponses = SubResponseEncoder.encoder(options)
  const { headers, keyed = false, unknownMembers = "refuse", orderBy = pathOfChange } = options
  return {
    kind: "requests",
    list,
    format: storedReplies(options.exposeHeaders),
    decode: (envelope, decoding) =>
      Result.gen(function* () {
        const { envelope: members, items } = yield* OperationList.read(envelope, list, decoding)
        if (unknownMembers === "refuse") yield* checkMembers(members)
        const strategy = yield* Strategy.choose(decoding.strategy, {
          atomic: members["atomic"],
          stopAfter: members["stop_after"],
        })
        const groups = yield* AtomicityGroups.read(items, decoding.strategy)
        const { limits } = decoding
        const operations = yield* SubRequestDecoder.decode(items, {
          groups,
          keyed,
          headers,
          unknownMembers,
          orderBy,
          headerBytes: limits.headerBytes,
          dependencies: limits.dependenciesPerOperation * items.length,
          tooLarge: OperationList.sizeGuard(envelope, decoding),
          bodyTextOf: bodyTexts(envelope),
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

// POST names no existing target, so creations on one collection run side by side.
const orderedMethods: ReadonlySet<string> = new Set(["PUT", "PATCH", "DELETE"])

const pathOfChange: SubRequestDecoder.OrderRequestsBy = ({ method, url }) =>
  orderedMethods.has(method) ? RequestTarget.normalise(url) : undefined

const knownMembers = new Set([list, "atomic", "stop_after"])

const checkMembers = (members: object): Result.Result<void, BatchError> => {
  const name = UnknownMember.find(members, knownMembers)
  if (name === undefined) return Result.succeed(undefined)
  const pointer = `/${name.slice(0, 256).replaceAll("~", "~0").replaceAll("/", "~1")}`
  return Result.fail(BatchError.invalid("UNKNOWN_MEMBER", UnknownMember.message(name, knownMembers), pointer))
}

// The text of a host that has parsed the body is gone.
const bodyTexts = ({ text }: Envelope): ((index: number) => string | undefined) => {
  if (text === undefined || !mayChangeNumbers(text)) return () => undefined
  const requests = new JsonText(text).member(list)
  return (index) => {
    const body = requests?.member(String(index))?.member("body")?.raw
    return body !== undefined && mayChangeNumbers(body) ? body : undefined
  }
}
