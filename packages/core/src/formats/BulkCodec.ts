/** One action on many items: `{"users":[{…},{…}]}` in, `{"created":2,"users":[…]}` out. */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { type Batch, tally } from "../batch/Batch.ts"
import { type Failure, failure } from "../batch/Failure.ts"
import * as Json from "../batch/Json.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import * as Strategy from "../batch/Strategy.ts"
import type { Codec, EncodeOptions, Encoded, ItemCodec } from "../batch/Codec.ts"
import * as MultiStatus from "./MultiStatus.ts"
import * as OperationList from "./OperationList.ts"
import type { UnknownMembers } from "./UnknownMember.ts"

/** Options of the codec of bulk endpoints. */
export interface BulkCodecOptions extends Partial<MultiStatus.MultiStatusOptions> {
  readonly action: string
  /** Name of the member that holds the items, in requests and responses: `users`. */
  readonly list: string
  /** Name of the member of the response that counts the successes: `created`. Undefined for no such member. */
  readonly count: string | undefined
  /** HTTP status if every item succeeded: 201 for a creation, else 200. */
  readonly successStatus: number
  /** Returns the idempotency key of an item, as the client sent it; undefined for none. An item for which it throws is not valid. */
  readonly idempotencyKey?: ((item: unknown) => unknown) | undefined
  /** Whether an item names an existing resource: it is an id, or an object with `id`. */
  readonly identified: boolean
  /** Items with the same key run in request order among themselves. Default: their `id`. */
  readonly orderBy?: ((item: BulkItem) => string | undefined) | undefined
  /** What happens to members of the envelope that the format does not have. Default `"refuse"`. */
  readonly unknownMembers?: UnknownMembers | undefined
}

/** A decoded item. */
export interface BulkItem {
  readonly id: string | undefined
  readonly data: unknown
}

/** Makes the codec of bulk endpoints. The `input` of an operation is its item, without the `id` if `identified`. */
export const make = (options: BulkCodecOptions): Codec<unknown> => {
  const answer = { ...MultiStatus.defaults, ...options }
  const items: ItemCodec<unknown> = {
    decodeItem: (item, index, refusal) => decodeItem(item, index, refusal, options),
    encodeResult: (operation, { index, data = answer.data }) => MultiStatus.encodeResult(operation, { index, data }),
    decodeResult: MultiStatus.decodeResult,
    // The short form consists of what the action returned.
    needsData: true,
  }
  return {
    kind: "bulk",
    list: options.list,
    items,
    decode: (envelope, decoding) =>
      Result.gen(function* () {
        const read = yield* OperationList.read(envelope, options.list, decoding)
        yield* OperationList.checkMembers(read.envelope, options.list, options.unknownMembers ?? "refuse")
        const { atomic, stop_after } = read.envelope
        const strategy = yield* Strategy.choose(decoding.strategy, { atomic, stopAfter: stop_after })
        const refusal = OperationList.guard(envelope, read, decoding)
        return {
          strategy,
          operations: read.items.map((item, index) => items.decodeItem(item, index, refusal(item))),
        }
      }),
    encode: (batch, encoding) =>
      encodeShort(batch, options, encoding) ??
      MultiStatus.encode(batch, answer, encoding, ({ succeeded }) => countOf(options, succeeded)),
  }
}

const decodeItem = (
  item: unknown,
  index: number,
  refusal: Failure | undefined,
  { action, identified, idempotencyKey, orderBy = ({ id }) => id }: BulkCodecOptions,
): Operation => {
  const read = identified ? readIdentified(item) : Result.succeed<BulkItem>({ id: undefined, data: item })
  const { id, data } = Result.isSuccess(read) ? read.success : { id: undefined, data: undefined }
  // Functions of the application are not called for an item that is refused already.
  const key =
    refusal === undefined
      ? Result.flatMap(
          OperationList.readWith(() => idempotencyKey?.(item), "idempotency key"),
          (value) => OperationList.readKey(value, "idempotency_key"),
        )
      : Result.succeed<string | undefined>(undefined)
  const isReadable = refusal === undefined && Result.isSuccess(read) && Result.isSuccess(key)
  const order = OperationList.readWith(() => (isReadable ? orderBy({ id, data }) : undefined), "order key")
  const failed = refusal ?? failureOf(read) ?? failureOf(key) ?? failureOf(order)
  return {
    index,
    id,
    action,
    input: data,
    orderKey: failed === undefined && Result.isSuccess(order) ? order.success : undefined,
    dependsOn: [],
    idempotencyKey: Result.isSuccess(key) ? key.success : undefined,
    result: failed === undefined ? undefined : OperationResult.refused(failed),
  }
}

const failureOf = <A>(result: Result.Result<A, Failure>): Failure | undefined =>
  Result.isFailure(result) ? result.failure : undefined

const readIdentified = (item: unknown): Result.Result<BulkItem, Failure> => {
  if (!Predicate.isObject(item)) return Result.map(OperationList.readTargetId(item), (id) => ({ id, data: undefined }))
  const { id: given, ...data } = item as Readonly<Record<string, unknown>>
  return given === undefined || given === null
    ? Result.fail(failure("VALIDATION_ERROR", `"id" is missing`, { field: "id" }))
    : Result.map(OperationList.readTargetId(given), (id) => ({ id, data }))
}

// Undefined if the short form is not possible: an operation failed, a value is not JSON, or the response is too large.
const encodeShort = (
  batch: Batch,
  options: BulkCodecOptions,
  { prefer, responseBytes }: EncodeOptions,
): Encoded | undefined => {
  const counts = tally(batch)
  if (MultiStatus.verdict(counts) !== "success") return undefined
  const values = () => batch.operations.map(({ id, result }) => result!.value ?? { id })
  const body = stringify({
    ...countOf(options, counts.succeeded),
    ...(prefer !== "minimal" && { [options.list]: values() }),
  })
  if (body === undefined || !Json.fitsUtf8(body, responseBytes ?? Number.POSITIVE_INFINITY)) return undefined
  const status = MultiStatus.httpStatus(options.status ?? MultiStatus.defaults.status, counts, options.successStatus)
  return { status, body, preferenceApplied: prefer !== undefined }
}

const countOf = ({ count }: BulkCodecOptions, succeeded: number) => (count === undefined ? {} : { [count]: succeeded })

const stringify = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
