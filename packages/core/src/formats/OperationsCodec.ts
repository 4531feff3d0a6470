/** Mixed actions on one resource: `{"operations":[{"action":"create","data":{…}},{"action":"delete","id":"u_1"}]}`. */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { type Failure, failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import * as Strategy from "../batch/Strategy.ts"
import type { Codec, ItemCodec } from "../batch/Codec.ts"
import * as MultiStatus from "./MultiStatus.ts"
import * as OperationList from "./OperationList.ts"
import * as UnknownMember from "./UnknownMember.ts"

/** Returns the order key of an operation; undefined for none. */
export type OrderBy = (operation: {
  readonly action: string
  readonly id: string | undefined
  readonly data: unknown
}) => string | undefined

/** Options of the codec of operations endpoints. */
export interface OperationsCodecOptions extends Partial<MultiStatus.MultiStatusOptions> {
  /** Operations with the same key run in request order among themselves. Default: their `id`. */
  readonly orderBy?: OrderBy | undefined
  /** Whether the member `idempotency_key` is read. Default false. */
  readonly keyed?: boolean | undefined
  /** What happens to members that the format does not have. Default `"refuse"`. */
  readonly unknownMembers?: UnknownMember.UnknownMembers | undefined
}

/** Makes the codec of operations endpoints. The `input` of an operation is its `data`. */
export const make = ({
  orderBy = ({ id }) => id,
  keyed = false,
  unknownMembers = "refuse",
  ...options
}: OperationsCodecOptions = {}): Codec<unknown> => {
  const answer = { ...MultiStatus.defaults, ...options }
  const list = "operations"
  const items: ItemCodec<unknown> = {
    decodeItem: (item, index, refusal) => decodeItem(item, index, refusal, { orderBy, keyed, unknownMembers }),
    encodeResult: (operation, { index, data = answer.data }) => MultiStatus.encodeResult(operation, { index, data }),
    decodeResult: MultiStatus.decodeResult,
    needsData: false,
  }
  return {
    kind: "operations",
    list,
    items,
    decode: (envelope, decoding) =>
      Result.gen(function* () {
        const read = yield* OperationList.read(envelope, list, decoding)
        yield* OperationList.checkMembers(read.envelope, list, unknownMembers)
        const { atomic, stop_after } = read.envelope
        const strategy = yield* Strategy.choose(decoding.strategy, { atomic, stopAfter: stop_after })
        const refusal = OperationList.guard(envelope, read, decoding)
        return {
          strategy,
          operations: read.items.map((item, index) => items.decodeItem(item, index, refusal(item))),
        }
      }),
    encode: (batch, encoding) => MultiStatus.encode(batch, answer, encoding),
  }
}

interface DecodeItemOptions {
  readonly orderBy: OrderBy
  readonly keyed: boolean
  readonly unknownMembers: UnknownMember.UnknownMembers
}

const decodeItem = (
  item: unknown,
  index: number,
  refusal: Failure | undefined,
  { orderBy, keyed, unknownMembers }: DecodeItemOptions,
): Operation => {
  const { action: givenAction, id: givenId, data, idempotency_key } = Predicate.isObject(item) ? (item as Members) : {}
  const readId = givenId === undefined || givenId === null ? noId : OperationList.readTargetId(givenId)
  const readKey = OperationList.readKey(keyed ? idempotency_key : undefined, "idempotency_key")
  const action = typeof givenAction === "string" ? givenAction : ""
  const id = Result.getOrUndefined(readId)
  const refused =
    refusal ??
    (Predicate.isObject(item) ? undefined : failure("VALIDATION_ERROR", "An operation must be a JSON object")) ??
    (unknownMembers === "ignore" ? undefined : unknownMember(item as object)) ??
    (action === "" ? failure("VALIDATION_ERROR", `"action" must name what to do`, { field: "action" }) : undefined) ??
    failureOf(readId) ??
    failureOf(readKey)
  // The application's function is not called for an operation that is refused already.
  const order = OperationList.readWith(
    () => (refused === undefined ? orderBy({ action, id, data }) : undefined),
    "order key",
  )
  const failed = refused ?? failureOf(order)
  const isRefused = failed !== undefined
  return {
    index,
    id,
    action,
    input: isRefused ? undefined : data,
    orderKey: isRefused ? undefined : Result.getOrUndefined(order),
    dependsOn: [],
    idempotencyKey: isRefused ? undefined : Result.getOrUndefined(readKey),
    result: isRefused ? OperationResult.refused(failed) : undefined,
  }
}

const noId: Result.Result<string | undefined, Failure> = Result.succeed(undefined)

interface Members {
  readonly action?: unknown
  readonly id?: unknown
  readonly data?: unknown
  readonly idempotency_key?: unknown
}

const knownMembers = new Set(["action", "id", "data", "idempotency_key"])

const unknownMember = (item: object): Failure | undefined => {
  const name = UnknownMember.find(item, knownMembers)
  return name === undefined
    ? undefined
    : failure("UNKNOWN_MEMBER", UnknownMember.message(name, knownMembers), { field: name.slice(0, 256) })
}

const failureOf = (read: Result.Result<unknown, Failure>): Failure | undefined =>
  Result.isFailure(read) ? read.failure : undefined
