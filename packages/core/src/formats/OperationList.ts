/** What all codecs do first: find the list of operations in the envelope, count it, and look at each one's size. */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { BatchError } from "../batch/BatchError.ts"
import { type Failure, failure } from "../batch/Failure.ts"
import * as IdempotencyKey from "../http/IdempotencyKey.ts"
import * as Json from "../batch/Json.ts"
import type { DecodeOptions, Envelope } from "../batch/Codec.ts"

/** The members of the envelope and its counted list. */
export interface OperationList {
  readonly envelope: Readonly<Record<string, unknown>>
  readonly items: ReadonlyArray<unknown>
  /** Whether nothing in the envelope has a member name that could reach a prototype. */
  readonly isSound: boolean
}

/** Reads the list `name` of an envelope; refuses one that is missing, empty or too long, before looking at any item. */
export const read = (
  { value }: Envelope,
  name: string,
  { limits }: DecodeOptions,
): Result.Result<OperationList, BatchError> => {
  if (!Predicate.isObject(value)) {
    return Result.fail(BatchError.invalid("INVALID_BATCH", `The body must be a JSON object with the member "${name}"`))
  }
  const items = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
  const pointer = `/${name}`
  if (items === undefined)
    return Result.fail(BatchError.invalid("INVALID_BATCH", `The member "${name}" is missing`, pointer))
  if (!Array.isArray(items))
    return Result.fail(BatchError.invalid("INVALID_BATCH", `"${name}" must be an array`, pointer))
  if (items.length === 0) {
    return Result.fail(BatchError.invalid("EMPTY_BATCH", `"${name}" is empty: send at least one operation`, pointer))
  }
  if (items.length > limits.operations) {
    return Result.fail(BatchError.tooMany("TOO_MANY_OPERATIONS", limits.operations, items.length))
  }
  const finding = Json.inspect(value, limits.depth)
  if (finding === "deep") return Result.fail(BatchError.tooDeep(limits.depth))
  return Result.succeed({ envelope: value as Record<string, unknown>, items, isSound: finding === "sound" })
}

/**
 * Tells what refuses one operation for its size. Sizes are only taken where the body is large enough to hold one that
 * is too large.
 */
export const sizeGuard = (
  { bytes, oversized }: Envelope,
  { limits }: DecodeOptions,
): ((item: unknown) => Failure | undefined) => {
  const limit = limits.operationBytes
  if (oversized === undefined && bytes !== undefined && bytes <= limit) return () => undefined
  return (item) => {
    const actual = oversized === undefined ? Json.byteLength(item) : (oversized.get(item) ?? 0)
    return actual <= limit
      ? undefined
      : failure("PAYLOAD_TOO_LARGE", `The operation has ${actual} bytes, at most ${limit} are allowed`)
  }
}

/**
 * Tells what refuses one operation for its size, or for a member name that could reach a prototype. Names are only looked
 * at where the envelope has such a one.
 */
export const guard = (
  envelope: Envelope,
  { isSound }: Pick<OperationList, "isSound">,
  decoding: DecodeOptions,
): ((item: unknown) => Failure | undefined) => {
  const tooLarge = sizeGuard(envelope, decoding)
  if (isSound) return tooLarge
  return (item) =>
    tooLarge(item) ?? (Json.inspect(item, Number.POSITIVE_INFINITY) === "poisoned" ? poisoned : undefined)
}

const poisoned = failure("VALIDATION_ERROR", `The member names "__proto__" and "constructor.prototype" are not allowed`)

/** Reads an idempotency key of one operation; `undefined` where there is none. */
export const readKey = (key: unknown, field: string): Result.Result<string | undefined, Failure> =>
  key === undefined
    ? Result.succeed(undefined)
    : Result.mapError(IdempotencyKey.fromValue(key), (why) =>
        failure("INVALID_IDEMPOTENCY_KEY", `${JSON.stringify(field)}: ${why}`, { field }),
      )

const longestId = 256

/** Reads the id of a resource: a string of 1 to 256 characters without control characters, or a whole number. */
export const readTargetId = (id: unknown): Result.Result<string, Failure> => {
  if (typeof id === "number" && Number.isSafeInteger(id)) return Result.succeed(String(id))
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return typeof id === "string" && id.length >= 1 && id.length <= longestId && !/[\u0000-\u001f\u007f]/.test(id)
    ? Result.succeed(id)
    : Result.fail(
        failure("VALIDATION_ERROR", `"id" must be a string of 1 to ${longestId} characters, or a whole number`, {
          field: "id",
        }),
      )
}
