/** One action, many items: `{"users":[{…},{…}]}` in, `{"created":2,"users":[…]}` out. */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { type Batch, tally, type Tally } from "../batch/Batch.ts"
import { type Failure, failure } from "../batch/Failure.ts"
import * as Json from "../batch/Json.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import * as Strategy from "../batch/Strategy.ts"
import type { Codec, EncodeOptions, Encoded } from "../batch/Codec.ts"
import * as MultiStatus from "./MultiStatus.ts"
import * as OperationList from "./OperationList.ts"

/** How a bulk endpoint names its list and its count, and what its answers look like. */
export interface BulkCodecOptions extends Partial<MultiStatus.MultiStatusOptions> {
  readonly action: string
  /** Member that holds the items, in requests and answers: `users`. */
  readonly list: string
  /** Member of the answer that counts successful items: `created`. Undefined for no such member. */
  readonly count: string | undefined
  /** HTTP status when every item succeeded: 201 for a creation, else 200. */
  readonly successStatus: number
  /** The idempotency key of an item, as it was sent; undefined for none. An item for which it throws is not valid. */
  readonly idempotencyKey?: ((item: unknown) => unknown) | undefined
  /** Whether an item names an existing resource: an id, or an object with `id`. */
  readonly identified: boolean
  /** Items with the same key run in request order among themselves. Default: their `id`. */
  readonly orderBy?:
    | ((item: { readonly id: string | undefined; readonly data: unknown }) => string | undefined)
    | undefined
}

/** The codec of bulk endpoints. `input` of an operation is the item, without its `id` where it is identified. */
export const make = (options: BulkCodecOptions): Codec<unknown> => ({
  kind: "bulk",
  list: options.list,
  decode: (envelope, decoding) =>
    Result.flatMap(
      OperationList.read(envelope, options.list, decoding),
      ({ envelope: { atomic, stop_after }, items, isSound }) => {
        const refusal = OperationList.guard(envelope, { isSound }, decoding)
        return Result.map(Strategy.choose(decoding.strategy, { atomic, stopAfter: stop_after }), (strategy) => ({
          strategy,
          operations: items.map((item, index) => decodeOne(item, index, refusal(item), options)),
        }))
      },
    ),
  encode: (batch, encoding) => encodeAllGood(batch, options, encoding) ?? encodeMixed(batch, options, encoding),
  encodeResult: (operation, { index, data = options.data }) => MultiStatus.encodeResult(operation, { index, data }),
  encodeResults: (results, strategy, encoding) => encodeWritten(results, strategy, options, encoding),
})

const decodeOne = (
  item: unknown,
  index: number,
  refusal: Failure | undefined,
  options: BulkCodecOptions,
): Operation => {
  const { action, identified, idempotencyKey, orderBy = ({ id }) => id } = options
  const read = identified ? readIdentified(item) : Result.succeed<Item>({ id: undefined, data: item })
  const { id, data } = Result.isSuccess(read) ? read.success : { id: undefined, data: undefined }
  const key = Result.flatMap(
    OperationList.readWith(() => idempotencyKey?.(item), "idempotency key"),
    (value) => OperationList.readKey(value, "idempotency_key"),
  )
  const order = OperationList.readWith(() => (Result.isSuccess(read) ? orderBy({ id, data }) : undefined), "order key")
  const wrong = refusal ?? failureOf(read) ?? failureOf(key) ?? failureOf(order)
  return {
    index,
    id,
    action,
    input: data,
    orderKey: wrong === undefined && Result.isSuccess(order) ? order.success : undefined,
    dependsOn: [],
    idempotencyKey: Result.isSuccess(key) ? key.success : undefined,
    result: wrong === undefined ? undefined : OperationResult.refused(wrong),
  }
}

const failureOf = <A>(result: Result.Result<A, Failure>): Failure | undefined =>
  Result.isFailure(result) ? result.failure : undefined

interface Item {
  readonly id: string | undefined
  readonly data: unknown
}

const readIdentified = (item: unknown): Result.Result<Item, Failure> => {
  if (!Predicate.isObject(item)) return Result.map(OperationList.readTargetId(item), (id) => ({ id, data: undefined }))
  const { id: given, ...data } = item as Readonly<Record<string, unknown>>
  return given === undefined
    ? Result.fail(failure("VALIDATION_ERROR", `"id" is missing`, { field: "id" }))
    : Result.map(OperationList.readTargetId(given), (id) => ({ id, data }))
}

const encodeMixed = (batch: Batch, options: BulkCodecOptions, encoding: EncodeOptions): Encoded =>
  MultiStatus.encode(batch, { ...MultiStatus.defaults, ...options }, encoding, ({ succeeded }) =>
    countOf(options, succeeded),
  )

// Undefined where the short form does not fit: something failed, cannot be encoded, or is too large.
const encodeAllGood = (
  batch: Batch,
  options: BulkCodecOptions,
  { prefer, responseBytes }: EncodeOptions,
): Encoded | undefined => {
  const counted = tally(batch)
  if (MultiStatus.verdict(counted) !== "success") return undefined
  const values = () => batch.operations.map(({ id, result }) => result!.value ?? { id })
  const body = stringify({
    ...countOf(options, counted.succeeded),
    ...(prefer !== "minimal" && { [options.list]: values() }),
  })
  if (body === undefined || !Json.fitsUtf8(body, responseBytes ?? Number.POSITIVE_INFINITY)) return undefined
  const status = MultiStatus.httpStatus(options.status ?? MultiStatus.defaults.status, counted, options.successStatus)
  return { status, body, preferenceApplied: prefer !== undefined }
}

// In the short form where every result says what was returned.
const encodeWritten = (
  texts: ReadonlyArray<string>,
  strategy: Strategy.Strategy,
  options: BulkCodecOptions,
  encoding: EncodeOptions,
): Encoded => {
  const answer = { ...MultiStatus.defaults, ...options }
  const results = texts.map((text) => JSON.parse(text) as MultiStatus.WrittenResult)
  if (!results.every(({ status, data }) => status === "success" && data !== undefined)) {
    const extra = ({ succeeded }: Tally) => countOf(options, succeeded)
    return MultiStatus.encodeWritten(texts, strategy, answer, encoding, extra)
  }
  const { prefer } = encoding
  const body = {
    ...countOf(options, results.length),
    ...(prefer !== "minimal" && { [options.list]: results.map(({ data }) => data) }),
  }
  const status = answer.status === "mixed" ? options.successStatus : Number(answer.status)
  return { status, body: JSON.stringify(body), preferenceApplied: prefer !== undefined }
}

const countOf = ({ count }: BulkCodecOptions, succeeded: number) => (count === undefined ? {} : { [count]: succeeded })

const stringify = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
