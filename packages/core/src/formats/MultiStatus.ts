/** The answer of bulk and operations endpoints: one status for the batch, one result per operation. */
import * as Predicate from "effect/Predicate"
import { type Batch, type Tally, tally } from "../batch/Batch.ts"
import { type Failure, failure, statusOf } from "../batch/Failure.ts"
import * as Json from "../batch/Json.ts"
import type { Operation } from "../batch/Operation.ts"
import type { OperationResult, Outcome } from "../batch/OperationResult.ts"
import type { Strategy } from "../batch/Strategy.ts"
import type { EncodeOptions, Encoded, EncodeResultOptions, Listing } from "../batch/Codec.ts"

/** HTTP status of a batch that ran. `mixed`: 200 if all is good, else 207 (RFC 4918, section 11.1). */
export type StatusMode = "mixed" | "200" | "207"

/** Options of the envelope that bulk and operations endpoints answer with. */
export interface MultiStatusOptions {
  /** Which results are listed. Default `all`. */
  readonly listing: Listing
  /** Whether a success carries what the action returned, as `data`. Default false. */
  readonly data: boolean
  /** Default `mixed`. */
  readonly status: StatusMode
}

export const defaults: MultiStatusOptions = { listing: "all", data: false, status: "mixed" }

/** The status of the whole: `partial` means that some succeeded and some did not. */
export const verdict = ({ succeeded, failed, skipped }: Tally): "success" | "partial" | "failed" => {
  if (failed + skipped === 0) return "success"
  return succeeded === 0 ? "failed" : "partial"
}

/** The HTTP status of the whole. */
export const httpStatus = (mode: StatusMode, counted: Tally, good: number): number => {
  if (mode !== "mixed") return Number(mode)
  return verdict(counted) === "success" ? good : 207
}

/** A failure as the client sees it. */
export const encodeFailure = ({ code, message, field, errors, retryable, retryAfter }: Failure) => ({
  code,
  message,
  field,
  errors,
  retryable,
  retry_after: retryAfter,
})

/** The id of a result: that of what was returned, or else the one the operation was for. */
export const idOf = ({ id, result }: Operation): string | number | undefined => {
  const value = result?.outcome === "success" ? result.value : undefined
  if (!Predicate.isObject(value) || !Object.hasOwn(value, "id")) return id
  const own = (value as { readonly id: unknown }).id
  return typeof own === "string" || typeof own === "number" ? own : id
}

/** What a client is told of a result that would have made the response too large. */
export const tooLarge = (result: OperationResult): Failure =>
  failure(
    "RESPONSE_TOO_LARGE",
    result.outcome === "success"
      ? "The operation ran and succeeded, but its result does not fit in the response"
      : "The operation was answered, but its result does not fit in the response",
    { retryable: false },
  )

const toEntry = (operation: Operation, { index, data = false }: EncodeResultOptions) => {
  const result = operation.result!
  const status = result.outcome
  const replayed = result.replayed ? true : undefined
  return status === "success"
    ? { index, status, id: idOf(operation), data: data ? result.value : undefined, replayed }
    : { index, status, id: operation.id, error: encodeFailure(result.failure!), replayed }
}

const effectiveListing = (options: MultiStatusOptions, prefer: EncodeOptions["prefer"]): Listing => {
  if (prefer === "minimal") return "failed"
  return prefer === "representation" ? "all" : options.listing
}

/** Encodes the results of a batch, with `extra` members (such as `created`) between the counts and the results. */
export const encode = (
  batch: Batch,
  options: MultiStatusOptions,
  { prefer, responseBytes }: EncodeOptions,
  extra: (counted: Tally) => Readonly<Record<string, unknown>> = () => ({}),
): Encoded => {
  if (batch.strategy._tag === "atomic" && batch.operations.some(isUnsuccessful)) return encodeRollback(batch)
  const listing = effectiveListing(options, prefer)
  const withData = prefer === "representation" || (options.data && prefer !== "minimal")
  const listed = listing === "all" ? batch.operations : batch.operations.filter(isUnsuccessful)
  const { results, isCut } = encodeWithin(listed, withData, responseBytes)
  const counted = tally(batch)
  const ids = listing === "failed+ids" ? succeededIds(batch) : undefined
  return envelopeOf(results, { counted, ids, isCut }, options, prefer, extra)
}

interface Summary {
  readonly counted: Tally
  readonly ids: ReadonlyArray<string | number | null> | undefined
  /** Whether results were left out, for the size of the response. */
  readonly isCut: boolean
}

const envelopeOf = (
  results: ReadonlyArray<string>,
  { counted, ids, isCut }: Summary,
  { status }: MultiStatusOptions,
  prefer: EncodeOptions["prefer"],
  extra: (counted: Tally) => Readonly<Record<string, unknown>>,
): Encoded => {
  const head = JSON.stringify({
    status: verdict(counted),
    succeeded: counted.succeeded,
    failed: counted.failed,
    skipped: counted.skipped === 0 ? undefined : counted.skipped,
    replayed: counted.replayed === 0 ? undefined : counted.replayed,
    ...extra(counted),
    succeeded_ids: ids,
  })
  return {
    // 200 would let a client take it that nothing in the answer needs looking at.
    status: httpStatus(status, counted, isCut ? 207 : 200),
    body: `${head.slice(0, -1)},"results":[${results.join(",")}]}`,
    preferenceApplied: prefer !== undefined,
  }
}

/** A result as `encodeResult` wrote it. */
export interface WrittenResult {
  readonly index: number
  readonly status: Outcome
  readonly id?: string | number
  readonly data?: unknown
  readonly error?: { readonly code: string; readonly message: string }
  readonly replayed?: boolean
}

/** Encodes the results of a batch that were written one by one, as `encode` would have done at once. */
export const encodeWritten = (
  texts: ReadonlyArray<string>,
  strategy: Strategy,
  options: MultiStatusOptions,
  { prefer }: EncodeOptions,
  extra: (counted: Tally) => Readonly<Record<string, unknown>> = () => ({}),
): Encoded => {
  const results = texts.map((text) => JSON.parse(text) as WrittenResult)
  const isGood = ({ status }: WrittenResult) => status === "success"
  const cause = results.find(({ error }) => error !== undefined && error.code !== "ROLLED_BACK")
  if (strategy._tag === "atomic" && cause !== undefined) {
    const { code, message } = cause.error!
    return rollbackOf({ index: cause.index, code, message, status: statusOf(code) })
  }
  const succeeded = results.filter(isGood).length
  const skipped = results.filter(({ status }) => status === "skipped").length
  const replayed = results.filter((result) => result.replayed === true).length
  const counted = { succeeded, failed: results.length - succeeded - skipped, skipped, replayed }
  const listing = effectiveListing(options, prefer)
  const listed = listing === "all" ? texts : texts.filter((_, place) => !isGood(results[place]!))
  const ids = listing === "failed+ids" ? results.filter(isGood).map(({ id }) => id ?? null) : undefined
  return envelopeOf(listed, { counted, ids, isCut: false }, options, prefer, extra)
}

// The operation that made it fail, not those that were undone with it; of several the first.
const encodeRollback = ({ operations }: Batch): Encoded => {
  const isCause = ({ result }: Operation) => isFailed(result) && result?.failure?.code !== "ROLLED_BACK"
  const { index, result } = operations.find(isCause) ?? operations[0]!
  const { code, message, retryAfter } = result!.failure!
  return rollbackOf({ index, code, message, status: result!.status, retryAfter })
}

const rollbackOf = ({ index, code, message, status, retryAfter }: Rollback): Encoded => {
  const body = {
    status: "failed",
    error: `Operation ${index + 1} failed: ${uncapitalise(message)}`,
    operations_applied: 0,
    failed_index: index,
    code,
  }
  return { status, body: JSON.stringify(body), preferenceApplied: false, retryAfter }
}

interface Rollback extends Pick<Failure, "code" | "message" | "status" | "retryAfter"> {
  readonly index: number
}

const isFailed = (result: OperationResult | undefined): boolean => result?.failure !== undefined

// It stands in the middle of a sentence: "User u_1 not found" begins small there, "URL is missing" does not.
const uncapitalise = (message: string): string =>
  /^\p{Lu}\p{Ll}/u.test(message) ? message.charAt(0).toLowerCase() + message.slice(1) : message

const isUnsuccessful = ({ result }: Operation): boolean => result!.outcome !== "success"

const succeededIds = (batch: Batch) =>
  batch.operations.flatMap((operation) => (isUnsuccessful(operation) ? [] : [idOf(operation) ?? null]))

// Once the response is full, results still say how they ended; only what they would have carried is left out.
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

/**
 * Encodes one result.
 *
 * **Details** What an action returned may not be JSON (a cycle, a BigInt, a getter that throws). That it succeeded is
 * still so, and is said without it.
 */
export const encodeResult = (operation: Operation, options: EncodeResultOptions): string => {
  try {
    return JSON.stringify(toEntry(operation, options))
  } catch {
    const { id, result } = operation
    const { outcome: status, failure: error, replayed } = result!
    const said = error === undefined ? {} : { error: { code: error.code, message: error.message } }
    return JSON.stringify({ index: options.index, status, id, ...said, replayed: replayed ? true : undefined })
  }
}
