/** Mixed actions on one resource: `{"operations":[{"action":"create","data":{…}},{"action":"delete","id":"u_1"}]}`. */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { type Failure, failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import * as Strategy from "../batch/Strategy.ts"
import type { Codec } from "../batch/Codec.ts"
import * as MultiStatus from "./MultiStatus.ts"
import * as OperationList from "./OperationList.ts"

/** What an operation works on beside its own target; undefined for nothing. */
export type OrderBy = (operation: {
  readonly action: string
  readonly id: string | undefined
  readonly data: unknown
}) => string | undefined

/** What operations are kept in order by, and what the answers of their endpoint look like. */
export interface OperationsCodecOptions extends Partial<MultiStatus.MultiStatusOptions> {
  /** Operations with the same key run in request order among themselves. Default: their `id`. */
  readonly orderBy?: OrderBy | undefined
  /** Whether the member `idempotency_key` is read. Default false. */
  readonly keyed?: boolean | undefined
}

/** The codec of operations endpoints. `input` of an operation is its `data`. */
export const make = ({
  orderBy = ({ id }) => id,
  keyed = false,
  ...options
}: OperationsCodecOptions = {}): Codec<unknown> => {
  const answer = { ...MultiStatus.defaults, ...options }
  const list = "operations"
  return {
    kind: "operations",
    list,
    decode: (envelope, decoding) =>
      Result.flatMap(OperationList.read(envelope, list, decoding), ({ envelope: members, items, isSound }) => {
        const { atomic, stop_after } = members
        const refusal = OperationList.guard(envelope, { isSound }, decoding)
        return Result.map(Strategy.choose(decoding.strategy, { atomic, stopAfter: stop_after }), (strategy) => ({
          strategy,
          operations: items.map((item, index) => decodeOne(item, index, refusal(item), { orderBy, keyed })),
        }))
      }),
    encode: (batch, encoding) => MultiStatus.encode(batch, answer, encoding),
    encodeResult: (operation, { index, data = answer.data }) => MultiStatus.encodeResult(operation, { index, data }),
    encodeResults: (results, strategy, encoding) => MultiStatus.encodeWritten(results, strategy, answer, encoding),
  }
}

const decodeOne = (
  item: unknown,
  index: number,
  refusal: Failure | undefined,
  { orderBy, keyed }: { readonly orderBy: OrderBy; readonly keyed: boolean },
): Operation => {
  if (!Predicate.isObject(item))
    return refused(index, "", undefined, failure("VALIDATION_ERROR", "An operation must be a JSON object"))
  const { action, id: givenId, data, idempotency_key } = item as Readonly<Record<string, unknown>>
  const read = givenId === undefined ? undefined : OperationList.readTargetId(givenId)
  const id = read !== undefined && Result.isSuccess(read) ? read.success : undefined
  if (typeof action !== "string" || action === "") {
    const error = failure("VALIDATION_ERROR", `"action" must name what to do`, { field: "action" })
    return refused(index, "", id, error)
  }
  const wrong = refusal ?? (read !== undefined && Result.isFailure(read) ? read.failure : undefined)
  if (wrong !== undefined) return refused(index, action, id, wrong)
  const key = OperationList.readKey(keyed ? idempotency_key : undefined, "idempotency_key")
  if (Result.isFailure(key)) return refused(index, action, id, key.failure)
  const order = OperationList.readWith(() => orderBy({ action, id, data }), "order key")
  if (Result.isFailure(order)) return refused(index, action, id, order.failure)
  const idempotencyKey = key.success
  return { index, id, action, input: data, orderKey: order.success, dependsOn: [], idempotencyKey, result: undefined }
}

const refused = (index: number, action: string, id: string | undefined, error: Failure): Operation => ({
  index,
  id,
  action,
  input: undefined,
  orderKey: undefined,
  dependsOn: [],
  result: OperationResult.refused(error),
})
