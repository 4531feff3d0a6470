/** The response of bulk and operations endpoints: one status for the batch, and one result for each operation. */
import * as Predicate from "effect/Predicate"
import { type Batch, type Tally, tally } from "../batch/Batch.ts"
import { type Failure, failure, type FieldError } from "../batch/Failure.ts"
import * as Json from "../batch/Json.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult, type Outcome } from "../batch/OperationResult.ts"
import type { EncodeOptions, Encoded, EncodeResultOptions, Listing } from "../batch/Codec.ts"

/** HTTP status of a batch that ran. `mixed`: 200 if every operation succeeded, else 207 (RFC 4918, section 11.1). */
export type StatusMode = "mixed" | "200" | "207"

/** Options of the response. */
export interface MultiStatusOptions {
  /** Which results are listed. Default `all`. */
  readonly listing: Listing
  /** Whether a success includes what the action returned, as `data`. Default false. */
  readonly data: boolean
  /** Default `mixed`. */
  readonly status: StatusMode
}

/** Default options. */
export const defaults: MultiStatusOptions = { listing: "all", data: false, status: "mixed" }

/** The status of a batch: `partial` if some operations succeeded and some did not, `failed` if none succeeded. */
export const verdict = ({ succeeded, failed, skipped }: Tally): "success" | "partial" | "failed" => {
  if (failed + skipped === 0) return "success"
  return succeeded === 0 ? "failed" : "partial"
}

/** The HTTP status of a batch. `successStatus` is the one for a batch in which every operation succeeded. */
export const httpStatus = (mode: StatusMode, counts: Tally, successStatus: number): number => {
  if (mode !== "mixed") return Number(mode)
  return verdict(counts) === "success" ? successStatus : 207
}

/** The failure of an operation whose result does not fit in the response. */
export const tooLarge = (result: OperationResult): Failure =>
  failure(
    "RESPONSE_TOO_LARGE",
    result.outcome === "success"
      ? "The operation ran and succeeded, but its result does not fit in the response"
      : "The operation was answered, but its result does not fit in the response",
    { retryable: false },
  )

/** Encodes the results of a batch. `extra` returns members, such as `created`, that follow the counts. */
export const encode = (
  batch: Batch,
  options: MultiStatusOptions,
  { prefer, responseBytes }: EncodeOptions,
  extra: (counts: Tally) => Readonly<Record<string, unknown>> = () => ({}),
): Encoded => {
  if (batch.strategy._tag === "atomic" && batch.operations.some(isUnsuccessful)) return encodeRollback(batch)
  const listing = effectiveListing(options, prefer)
  const withData = prefer === "representation" || (options.data && prefer !== "minimal")
  const listed = listing === "all" ? batch.operations : batch.operations.filter(isUnsuccessful)
  const { results, isCut } = encodeWithin(listed, withData, responseBytes)
  const counts = tally(batch)
  const head = JSON.stringify({
    status: verdict(counts),
    succeeded: counts.succeeded,
    failed: counts.failed,
    skipped: counts.skipped === 0 ? undefined : counts.skipped,
    replayed: counts.replayed === 0 ? undefined : counts.replayed,
    ...extra(counts),
    succeeded_ids: listing === "failed+ids" ? succeededIds(batch) : undefined,
  })
  return {
    // With 200 a client could assume that the response contains every result.
    status: httpStatus(options.status, counts, isCut ? 207 : 200),
    body: `${head.slice(0, -1)},"results":[${results.join(",")}]}`,
    preferenceApplied: prefer !== undefined,
  }
}

const effectiveListing = (options: MultiStatusOptions, prefer: EncodeOptions["prefer"]): Listing => {
  if (prefer === "minimal") return "failed"
  return prefer === "representation" ? "all" : options.listing
}

// The batch answers for the first operation that failed by itself, not for those that were rolled back with it.
const encodeRollback = ({ operations }: Batch): Encoded => {
  const isCause = ({ result }: Operation) => result?.failure !== undefined && result.failure.code !== "ROLLED_BACK"
  const { index, result } = operations.find(isCause) ?? operations[0]!
  const { code, message, retryAfter } = result!.failure!
  const body = {
    status: "failed",
    error: `Operation ${index + 1} failed: ${uncapitalise(message)}`,
    operations_applied: 0,
    failed_index: index,
    code,
  }
  return { status: result!.status, body: JSON.stringify(body), preferenceApplied: false, retryAfter }
}

// Within a sentence, "User u_1 not found" begins with a small letter, but "URL is missing" does not.
const uncapitalise = (message: string): string =>
  /^\p{Lu}\p{Ll}/u.test(message) ? message.charAt(0).toLowerCase() + message.slice(1) : message

const isUnsuccessful = ({ result }: Operation): boolean => result!.outcome !== "success"

const succeededIds = (batch: Batch) =>
  batch.operations.flatMap((operation) => (isUnsuccessful(operation) ? [] : [idOf(operation) ?? null]))

// Once the response is full, further results are replaced by an error that says whether the operation succeeded.
const encodeWithin = (
  operations: ReadonlyArray<Operation>,
  withData: boolean,
  responseBytes: number | undefined,
): { readonly results: ReadonlyArray<string>; readonly isCut: boolean } => {
  let room = responseBytes ?? Number.POSITIVE_INFINITY
  const results = operations.map((operation) => {
    const text = encodeResult(operation, { index: operation.index, data: withData })
    room -= Json.utf8Length(text)
    if (room >= 0) return text
    const { index, id } = operation
    return JSON.stringify({ index, status: "error", id, error: encodeFailure(tooLarge(operation.result!)) })
  })
  return { results, isCut: room < 0 }
}

/** One result on the wire. */
interface Entry {
  readonly index: number
  readonly status: Outcome
  readonly id?: string | number | undefined
  readonly data?: unknown
  readonly error?: EncodedFailure | undefined
  readonly replayed?: boolean | undefined
}

/** A failure on the wire. */
interface EncodedFailure {
  readonly code: string
  readonly message: string
  readonly field?: string | undefined
  readonly errors?: ReadonlyArray<FieldError> | undefined
  readonly retryable?: boolean | undefined
  readonly retry_after?: number | undefined
}

/**
 * Encodes one result.
 *
 * **Details** If what an action returned is not JSON (a cycle, a BigInt, a getter that throws), the result says that the
 * operation succeeded, without the value.
 */
export const encodeResult = (operation: Operation, options: EncodeResultOptions): string => {
  try {
    return JSON.stringify(toEntry(operation, options))
  } catch {
    const { id, result } = operation
    const { outcome: status, failure: error, replayed } = result!
    const shortError = error === undefined ? {} : { error: { code: error.code, message: error.message } }
    return JSON.stringify({ index: options.index, status, id, ...shortError, replayed: replayed ? true : undefined })
  }
}

const toEntry = (operation: Operation, { index, data = false }: EncodeResultOptions): Entry => {
  const result = operation.result!
  const status = result.outcome
  const replayed = result.replayed ? true : undefined
  return status === "success"
    ? { index, status, id: idOf(operation), data: data ? result.value : undefined, replayed }
    : { index, status, id: operation.id, error: encodeFailure(result.failure!), replayed }
}

// The id in what the action returned, or else the id that the operation was for.
const idOf = ({ id, result }: Operation): string | number | undefined => {
  const value = result?.outcome === "success" ? result.value : undefined
  if (!Predicate.isObject(value) || !Object.hasOwn(value, "id")) return id
  const returned = (value as { readonly id: unknown }).id
  return typeof returned === "string" || typeof returned === "number" ? returned : id
}

const encodeFailure = ({ code, message, field, errors, retryable, retryAfter }: Failure): EncodedFailure => ({
  code,
  message,
  field,
  errors,
  retryable,
  retry_after: retryAfter,
})

/** Reads a result that `encodeResult` wrote. The value of a success is what was written as `data`. */
export const decodeResult = (text: string): Operation => {
  const { index, status, id, data, error, replayed = false } = JSON.parse(text) as Entry
  // An operation has no id that is a number: that one was in a value which was not written.
  const value = data === undefined && typeof id === "number" ? { id } : data
  return {
    index,
    id: typeof id === "string" ? id : undefined,
    action: "",
    input: undefined,
    orderKey: undefined,
    dependsOn: [],
    result: toResult(status, value, error && decodeFailure(error), replayed),
  }
}

const toResult = (outcome: Outcome, value: unknown, error: Failure | undefined, replayed: boolean): OperationResult => {
  if (replayed) return OperationResult.replay({ outcome, status: error?.status ?? 200, value, failure: error })
  if (error === undefined) return OperationResult.success(value)
  return outcome === "skipped" ? OperationResult.skipped(error) : OperationResult.error(error)
}

const decodeFailure = ({ code, message, field, errors, retryable, retry_after }: EncodedFailure): Failure =>
  failure(code, message, { field, errors, retryable, retryAfter: retry_after })
