/** Recognises retries: claims keys before anything runs, replays what was done, and refuses what is being done. */
import { BatchError, PolicyRefusal } from "../domain/BatchError.ts"
import { type Failure, failure } from "../domain/Failure.ts"
import type { Operation } from "../domain/Operation.ts"
import { OperationResult } from "../domain/OperationResult.ts"
import type { Acquired, AcquireItem, IdempotencyTimes } from "../ports/IdempotencyStore.ts"
import { BatchJournal, decode, readJournal } from "./BatchJournal.ts"
import { Claims } from "./Claims.ts"
import { type HashedKey, keyReused } from "./IdempotencyKeys.ts"
import type { IdempotencySettings } from "./IdempotencySettings.ts"
import type { ValueFormat } from "../ports/Codec.ts"
import type { Timer } from "./TimeoutQueue.ts"

/** @category models @since 0.1.0 */
export interface ClaimRequest {
  readonly settings: IdempotencySettings
  readonly operations: ReadonlyArray<Operation>
  /** The hashed keys of operations that have one. */
  readonly keys: ReadonlyMap<Operation, HashedKey>
  /** The hashed key of the batch. */
  readonly batchKey: HashedKey | undefined
  readonly format: ValueFormat
  readonly timer: Timer
}

/** @category models @since 0.1.0 */
export interface Claimed {
  /** What has to be settled; undefined where nothing was claimed. */
  readonly claims: Claims | undefined
  /** Whether the batch as a whole was done before: every result is a replay. */
  readonly completed: boolean
}

/**
 * Claims the keys of a batch in one call, and gives operations that were done before, or are being done, their result.
 *
 * **Details** Rejects with a `BatchError` if the batch itself is being done or was another one, or if the store cannot
 * be reached and fails closed; nothing is then claimed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const claim = async (request: ClaimRequest): Promise<Claimed> => {
  const { settings, operations, keys, batchKey, timer, format } = request
  const due = operations.filter((operation) => operation.result === undefined && keys.has(operation))
  const items = due.map((operation): AcquireItem => ({
    ...keys.get(operation)!,
    mode: settings.onAmbiguous(operation),
  }))
  if (batchKey !== undefined) {
    const holds = operations.some((operation) => settings.onAmbiguous(operation) === "hold")
    items.push({ ...batchKey, mode: holds ? "hold" : "retry" })
  }
  if (items.length === 0) return { claims: undefined, completed: false }
  const times = timesOf(settings)
  const askedAt = performance.now()
  const acquired = await acquire(items, times, settings)
  if (acquired === undefined) return { claims: undefined, completed: false }
  const claimed = new Map<Operation, HashedKey>()
  await Promise.all(
    due.map(async (operation, index) => {
      const key = keys.get(operation)!
      operation.result = await answerFor(acquired[index]!, key, request)
      if (isHeld(acquired[index]!)) claimed.set(operation, key)
    }),
  )
  const make = (journal: BatchJournal | undefined) =>
    new Claims({ settings, times, operations, claimed, journal, format, timer, askedAt })
  if (batchKey === undefined) return { claims: make(undefined), completed: false }
  const ofBatch = acquired.at(-1)!
  if (isHeld(ofBatch)) return { claims: make(await resume(ofBatch, batchKey, request)), completed: false }
  // Nothing of this batch runs now, so what was claimed for its operations is given back.
  await giveBack(claimed, settings, times)
  if (ofBatch._tag !== "replay") throw refusalOf(ofBatch)
  await replayAll(ofBatch.result, batchKey, request)
  return { claims: undefined, completed: true }
}

const acquire = async (
  items: ReadonlyArray<AcquireItem>,
  times: IdempotencyTimes,
  { store, failOpen }: IdempotencySettings,
): Promise<ReadonlyArray<Acquired> | undefined> => {
  try {
    return await store.acquire(items, times)
  } catch {
    if (failOpen) return undefined
    throw refuse(failure("STORE_UNAVAILABLE", storeUnavailable, { status: 503, retryAfter: 1 }))
  }
}

const timesOf = ({ ttlMs, leaseMs }: IdempotencySettings): IdempotencyTimes => ({
  owner: randomOwner(),
  leaseMs,
  pendingTtlMs: Math.max(ttlMs, leaseMs),
  resultTtlMs: ttlMs,
})

const randomOwner = (): string =>
  btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "")

type Held = Extract<Acquired, { readonly fence: number }>

const isHeld = (acquired: Acquired): acquired is Held =>
  acquired._tag === "fresh" || acquired._tag === "taken-over" || acquired._tag === "mine"

// Undefined for an operation that is to run.
const answerFor = async (
  acquired: Acquired,
  { key }: HashedKey,
  { settings, format }: ClaimRequest,
): Promise<OperationResult | undefined> => {
  switch (acquired._tag) {
    case "replay":
      return decode(acquired.result, key, settings.codec, format)
    case "in-progress":
      return OperationResult.refused(inProgress(acquired.retryAfterMs))
    case "mismatch":
      return OperationResult.refused(keyReused())
    case "indeterminate":
      return OperationResult.refused(indeterminate())
    default:
      return undefined
  }
}

const seconds = (milliseconds: number): number => Math.max(1, Math.ceil(milliseconds / 1000))

const inProgress = (retryAfterMs: number) =>
  failure("IDEMPOTENCY_IN_PROGRESS", "A request with this idempotency key is being executed", {
    retryable: true,
    retryAfter: seconds(retryAfterMs),
  })

const indeterminate = () =>
  failure("OUTCOME_UNKNOWN", "A request with this idempotency key was begun, and its outcome is not known", {
    retryable: false,
  })

const storeUnavailable = "The store of idempotency keys cannot be reached, so nothing was executed: try again"

const refuse = ({ code, status, message, retryAfter }: Failure): BatchError =>
  new BatchError({ reason: new PolicyRefusal({ code, status, detail: message, retryAfter }) })

const refusalOf = (acquired: Acquired): BatchError => {
  if (acquired._tag === "in-progress") return refuse(inProgress(acquired.retryAfterMs))
  return refuse(acquired._tag === "mismatch" ? keyReused() : indeterminate())
}

const resume = async (held: Held, batchKey: HashedKey, { settings, operations, format }: ClaimRequest) => {
  const journal = held._tag === "fresh" ? "" : held.journal
  const resumed = new BatchJournal(batchKey, settings.codec, journal)
  const lines = await readJournal(journal, batchKey.key, settings.codec, format)
  for (const operation of operations) {
    const found = lines.get(operation.index)
    if (found === undefined) continue
    resumed.set(operation, found.line)
    operation.result ??= found.result
  }
  return resumed
}

const replayAll = async (stored: string, { key }: HashedKey, { settings, operations, format }: ClaimRequest) => {
  const lines = await readJournal(stored, key, settings.codec, format)
  for (const operation of operations) {
    operation.duplicateOf = undefined
    operation.result = lines.get(operation.index)?.result ?? OperationResult.refused(indeterminate())
  }
}

const giveBack = async (
  claimed: ReadonlyMap<Operation, HashedKey>,
  { store }: IdempotencySettings,
  times: IdempotencyTimes,
): Promise<void> => {
  const items = Array.from(claimed.values(), (key) => ({ ...key, action: { _tag: "release" as const } }))
  // They are free when the lease ends, if the store cannot be told.
  if (items.length > 0) await store.settle(items, times).catch(() => undefined)
}
