/** The list of operations in an envelope, and the checks that all formats share. */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { BatchError } from "../batch/BatchError.ts"
import { type Failure, failure } from "../batch/Failure.ts"
import * as IdempotencyKey from "../http/IdempotencyKey.ts"
import * as Json from "../batch/Json.ts"
import type { DecodeOptions, Envelope } from "../batch/Codec.ts"
import * as UnknownMember from "./UnknownMember.ts"

/** The members of an envelope, and its list of operations. */
export interface OperationList {
  readonly envelope: Readonly<Record<string, unknown>>
  readonly items: ReadonlyArray<unknown>
  /** Whether no member name in the envelope can reach a prototype. */
  readonly isSound: boolean
}

/** Reads the list `name` of an envelope. Fails if it is missing, empty or too long, before it looks at any item. */
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

/** Fails if an envelope has a member other than its list, `atomic` and `stop_after`. */
export const checkMembers = (
  members: OperationList["envelope"],
  list: string,
  mode: UnknownMember.UnknownMembers,
): Result.Result<void, BatchError> => {
  const known = new Set([list, "atomic", "stop_after"])
  const name = mode === "ignore" ? undefined : UnknownMember.find(members, known)
  if (name === undefined) return Result.succeed(undefined)
  const pointer = `/${name.slice(0, 256).replaceAll("~", "~0").replaceAll("/", "~1")}`
  return Result.fail(BatchError.invalid("UNKNOWN_MEMBER", UnknownMember.message(name, known), pointer))
}

/**
 * Makes the check of one operation's size. Items are measured only if the body is large enough to contain one that is too
 * large.
 */
export const sizeGuard = (
  { bytes, oversized }: Envelope,
  { limits }: DecodeOptions,
): ((item: unknown) => Failure | undefined) => {
  const limit = limits.operationBytes
  if (oversized === undefined && bytes !== undefined && bytes <= limit) return () => undefined
  return (item) => checkSize(oversized === undefined ? Json.byteLength(item) : (oversized.get(item) ?? 0), limit)
}

/** The failure of an operation that is larger than the limit; undefined if it is not. */
export const checkSize = (bytes: number, limit: number): Failure | undefined =>
  bytes <= limit
    ? undefined
    : failure("PAYLOAD_TOO_LARGE", `The operation has ${bytes} bytes, at most ${limit} are allowed`)

/**
 * Makes the check of one operation's size and member names. Names are looked at only if the envelope contains one that can
 * reach a prototype.
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

/** The failure of an operation with a member name that can reach a prototype. */
export const poisoned = failure(
  "VALIDATION_ERROR",
  `The member names "__proto__" and "constructor.prototype" are not allowed`,
)

/** Reads the idempotency key of one operation; undefined if it has none or null. */
export const readKey = (key: unknown, field: string): Result.Result<string | undefined, Failure> =>
  key === undefined || key === null
    ? Result.succeed(undefined)
    : Result.mapError(IdempotencyKey.fromValue(key), (why) =>
        failure("INVALID_IDEMPOTENCY_KEY", `${JSON.stringify(field)}: ${why}`, { field }),
      )

/** Calls a function of the application with an item. The item is not valid if the function throws. */
export const readWith = <A>(read: () => A, member: string): Result.Result<A, Failure> =>
  Result.try({
    try: read,
    catch: () => failure("VALIDATION_ERROR", `The item is not valid: its ${member} cannot be read`),
  })

/** Maximum length of the id of a resource, in UTF-16 code units. */
const idLength = 256

/** Reads the id of a resource: a string of 1 to 256 characters without control characters, or a whole number. */
export const readTargetId = (id: unknown): Result.Result<string, Failure> => {
  if (typeof id === "number" && Number.isSafeInteger(id)) return Result.succeed(String(id))
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return typeof id === "string" && id.length >= 1 && id.length <= idLength && !/[\u0000-\u001f\u007f]/.test(id)
    ? Result.succeed(id)
    : Result.fail(
        failure("VALIDATION_ERROR", `"id" must be a string of 1 to ${idLength} characters, or a whole number`, {
          field: "id",
        }),
      )
}
