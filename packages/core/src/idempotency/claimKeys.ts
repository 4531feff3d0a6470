import { BatchError } from "../batch/BatchError.ts"
import { PolicyRefusal } from "../batch/RefusalReason.ts"
import type { ValueFormat } from "../batch/Codec.ts"
import { type Failure, failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { Timer } from "../platform/FiberClock.ts"
import { randomId } from "../platform/randomId.ts"
import { withTimeout } from "../platform/withTimeout.ts"
import { BatchJournal } from "./BatchJournal.ts"
import { Claims } from "./Claims.ts"
import { type HashedKey, keyReused } from "./IdempotencyKeys.ts"
import { answerMs, type IdempotencySettings } from "./IdempotencySettings.ts"
import type { Acquired, AcquireItem, IdempotencyTimes } from "./IdempotencyStore.ts"
import { readJournal } from "./readJournal.ts"
import * as StoredResult from "./StoredResult.ts"

export interface ClaimRequest {
  readonly settings: IdempotencySettings
  /** All operations of the batch. */
  readonly operations: ReadonlyArray<Operation>
  /** The keys of operations that have one. */
  readonly keys: ReadonlyMap<Operation, HashedKey>
  /** The key of the batch; undefined where it has none. */
  readonly batchKey: HashedKey | undefined
  readonly format: ValueFormat
  readonly timer: Timer
  /** Monotonic time in milliseconds. */
  readonly now: () => number
  /** Milliseconds that the batch has left. */
  readonly deadlineMs: number
  /** Called with the error of the store, once for each outage. */
  readonly onOutage: (error: unknown) => void
}

/** The outcome of claiming the keys of a batch. */
export type ClaimOutcome =
  | { readonly _tag: "claimed"; readonly claims: Claims }
  /** There were no keys to claim. */
  | { readonly _tag: "no-keys" }
  /** An earlier execution completed the batch: every operation has a replayed result. */
  | { readonly _tag: "completed" }
  /** The store cannot be reached and fails open: the batch runs without claims. */
  | { readonly _tag: "unprotected" }

/**
 * Claims the keys of a batch in one call to the store. Operations that are completed, or that another request is
 * executing, get their result.
 *
 * **Details** Rejects with a `BatchError` if another request is executing the batch, if its key was used for another batch,
 * or if the store cannot be reached and fails closed. Nothing is claimed then.
 */
export const claimKeys = async (request: ClaimRequest): Promise<ClaimOutcome> => {
  const { settings, operations, keys, batchKey, format, timer, now } = request
  const due = operations.filter((operation) => operation.result === undefined && keys.has(operation))
  const items = due.map((operation): AcquireItem => ({
    ...keys.get(operation)!,
    mode: settings.onAmbiguous(operation),
  }))
  // Operations that must not run again have claims of their own, so a retry may always resume the batch itself.
  if (batchKey !== undefined) items.push({ ...batchKey, mode: "retry" })
  if (items.length === 0) return { _tag: "no-keys" }
  const times = timesOf(settings)
  const requestedAt = now()
  const acquired = await acquire(items, times, request)
  if (acquired === undefined) return { _tag: "unprotected" }
  const claimed = new Map<Operation, HashedKey>()
  const answering: Array<Promise<void>> = []
  for (const [index, operation] of due.entries()) {
    const [key, answer] = [keys.get(operation)!, acquired[index]!]
    if (isHeld(answer)) claimed.set(operation, key)
    else answering.push(setResult(operation, resultOf(answer, key, request)))
  }
  await Promise.all(answering)
  let journal: BatchJournal | undefined
  if (batchKey !== undefined) {
    const answer = acquired.at(-1)!
    if (!isHeld(answer)) {
      // Nothing of this batch runs now, so the claims of its operations are released.
      await release([...claimed.values()], times, request)
      if (answer._tag !== "replay") throw refusalOf(answer)
      await replayBatch(answer.result, batchKey, request)
      return { _tag: "completed" }
    }
    journal = await resumeBatch(answer, batchKey, request)
  }
  const claims = new Claims({ settings, operations, claimed, journal, format, times, timer, now, requestedAt })
  return { _tag: "claimed", claims }
}

const timesOf = ({ ttlMs, leaseMs }: IdempotencySettings): IdempotencyTimes => ({
  owner: randomId(),
  leaseMs,
  pendingTtlMs: Math.max(ttlMs, leaseMs),
  resultTtlMs: ttlMs,
})

/** Stores whose last claim failed. Each outage is reported once, not with every batch. */
const storesInOutage = new WeakSet<IdempotencySettings["store"]>()

/** Asks the store for the claims; undefined where it cannot be reached and fails open. */
const acquire = async (
  items: ReadonlyArray<AcquireItem>,
  times: IdempotencyTimes,
  request: ClaimRequest,
): Promise<ReadonlyArray<Acquired> | undefined> => {
  const { settings, timer, deadlineMs } = request
  let asking: Promise<unknown> = Promise.resolve()
  const ask = () => {
    const answer = settings.store.acquire(items, times)
    asking = answer
    return answer
  }
  try {
    const acquired = await withTimeout(ask, Math.min(answerMs(settings), Math.max(1000, deadlineMs)), timer)
    storesInOutage.delete(settings.store)
    return acquired
  } catch (error) {
    if (!storesInOutage.has(settings.store)) request.onOutage(error)
    storesInOutage.add(settings.store)
    // The store may have claimed the keys, or may still claim them, and nothing runs under these claims.
    const releaseAll = () => void release(items, times, request)
    releaseAll()
    asking.then(releaseAll, () => undefined)
    if (settings.onStoreError === "allow") return undefined
    throw refuse(failure("STORE_UNAVAILABLE", storeUnavailable, { status: 503, retryAfter: 1 }))
  }
}

type Held = Extract<Acquired, { readonly fence: number }>

const isHeld = (acquired: Acquired): acquired is Held =>
  acquired._tag === "fresh" || acquired._tag === "taken-over" || acquired._tag === "mine"

const setResult = async (operation: Operation, result: Promise<OperationResult>): Promise<void> => {
  operation.result = await result
}

/** Makes the result of an operation whose key is not free. */
const resultOf = async (
  acquired: Exclude<Acquired, Held>,
  { key }: HashedKey,
  { settings, format }: ClaimRequest,
): Promise<OperationResult> => {
  switch (acquired._tag) {
    case "replay":
      return StoredResult.decode(acquired.result, key, settings.codec, format)
    case "in-progress":
      return OperationResult.refused(inProgress(acquired.retryAfterMs))
    case "mismatch":
      return OperationResult.refused(keyReused())
    case "indeterminate":
      return OperationResult.refused(indeterminate())
  }
}

const inProgress = (retryAfterMs: number) =>
  failure("IDEMPOTENCY_IN_PROGRESS", "Another request with this idempotency key is still running: retry later", {
    retryable: true,
    retryAfter: Math.max(1, Math.ceil(retryAfterMs / 1000)),
  })

const indeterminate = () =>
  failure(
    "OUTCOME_UNKNOWN",
    "An earlier request with this idempotency key started and its outcome is unknown: check whether it took effect",
    { retryable: false },
  )

const storeUnavailable = "The idempotency store cannot be reached, so nothing was executed: retry the request"

const refuse = ({ code, status, message, retryAfter }: Failure): BatchError =>
  new BatchError({ reason: new PolicyRefusal({ code, status, detail: message, retryAfter }) })

const refusalOf = (acquired: Acquired): BatchError => {
  if (acquired._tag === "in-progress") return refuse(inProgress(acquired.retryAfterMs))
  return refuse(acquired._tag === "mismatch" ? keyReused() : indeterminate())
}

/** Gives operations the results that an interrupted execution journalled, and continues its journal. */
const resumeBatch = async (held: Held, batchKey: HashedKey, { settings, operations, format }: ClaimRequest) => {
  const text = held._tag === "fresh" ? "" : held.journal
  const journal = new BatchJournal(batchKey, text.length)
  const { results, isDamaged } = await readJournal(text, batchKey, settings.codec, format)
  for (const operation of operations) {
    const journalled = results.get(operation.index)
    if (journalled !== undefined) {
      journal.setLine(operation, journalled.line)
      // Overwrites a refusal for the operation's own key, such as that it is in progress: the journal knows more.
      if (operation.result?.replayed !== true) operation.result = journalled.result
    } else if (isDamaged) operation.result ??= StoredResult.unreadable()
  }
  return journal
}

/** Gives all operations the results of a completed batch. */
const replayBatch = async (record: string, batchKey: HashedKey, { settings, operations, format }: ClaimRequest) => {
  const { results } = await readJournal(record, batchKey, settings.codec, format)
  for (const operation of operations) {
    operation.duplicateOf = undefined
    // Overwrites what operations were answered for keys of their own: the batch is replayed as it was answered.
    operation.result = results.get(operation.index)?.result ?? StoredResult.unreadable()
  }
}

/** Attempts to release claims, each after a longer pause. */
const maxAttempts = 4

// Claims that are not released become free when their lease ends, except those in mode `hold`: they never do.
const release = async (
  keys: ReadonlyArray<HashedKey>,
  times: IdempotencyTimes,
  request: Pick<ClaimRequest, "settings" | "timer">,
  attempt = 1,
): Promise<void> => {
  if (keys.length === 0) return
  const { settings, timer } = request
  const items = keys.map(({ key, fingerprint }) => ({ key, fingerprint, action: { _tag: "release" as const } }))
  try {
    await withTimeout(() => settings.store.settle(items, times), answerMs(settings), timer)
  } catch {
    if (attempt < maxAttempts) timer(1000 * 2 ** attempt, () => void release(keys, times, request, attempt + 1))
  }
}
