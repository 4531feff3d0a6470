/** Recognises retries: claims keys before anything runs, replays what was done, and refuses what is being done. */
import { BatchError, PolicyRefusal } from "../batch/BatchError.ts"
import { type Failure, failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import { randomId } from "../platform/randomId.ts"
import type { Acquired, AcquireItem, IdempotencyTimes } from "./IdempotencyStore.ts"
import { BatchJournal, decode, readJournal } from "./BatchJournal.ts"
import { Claims } from "./Claims.ts"
import { type HashedKey, keyReused } from "./IdempotencyKeys.ts"
import { answerMs, type IdempotencySettings } from "./IdempotencySettings.ts"
import { withTimeout } from "../platform/withTimeout.ts"
import * as StoredResult from "./StoredResult.ts"
import type { ValueFormat } from "../batch/Codec.ts"
import type { Timer } from "../platform/FiberClock.ts"

export interface ClaimRequest {
  readonly settings: IdempotencySettings
  readonly operations: ReadonlyArray<Operation>
  /** The hashed keys of operations that have one. */
  readonly keys: ReadonlyMap<Operation, HashedKey>
  /** The hashed key of the batch. */
  readonly batchKey: HashedKey | undefined
  readonly format: ValueFormat
  readonly timer: Timer
  /** Milliseconds, steadily rising. */
  readonly now: () => number
  /** Milliseconds that the batch has left. */
  readonly deadlineMs: number
}

export interface Claimed {
  /** What has to be settled; undefined where nothing was claimed. */
  readonly claims: Claims | undefined
  /** Whether the batch as a whole was done before: every result is a replay. */
  readonly completed: boolean
  /** Whether there are keys, and the batch runs without claims because the store cannot be reached. */
  readonly unprotected: boolean
}

/**
 * Claims the keys of a batch in one call, and gives operations that were done before, or are being done, their result.
 *
 * **Details** Rejects with a `BatchError` if the batch itself is being done or was another one, or if the store cannot
 * be reached and fails closed; nothing is then claimed.
 */
export const claim = async (request: ClaimRequest): Promise<Claimed> => {
  const { settings, operations, keys, batchKey, now, ...rest } = request
  const due = operations.filter((operation) => operation.result === undefined && keys.has(operation))
  const items = due.map((operation): AcquireItem => ({
    ...keys.get(operation)!,
    mode: settings.onAmbiguous(operation),
  }))
  // Operations that must not be run again have claims of their own, so the batch itself may always be gone on with.
  if (batchKey !== undefined) items.push({ ...batchKey, mode: "retry" })
  if (items.length === 0) return { claims: undefined, completed: false, unprotected: false }
  const times = timesOf(settings)
  const askedAt = now()
  const acquired = await acquire(items, times, request)
  if (acquired === undefined) return { claims: undefined, completed: false, unprotected: true }
  const claimed = new Map<Operation, HashedKey>()
  const answers: Array<Promise<void>> = []
  for (const [index, operation] of due.entries()) {
    const [key, told] = [keys.get(operation)!, acquired[index]!]
    if (isHeld(told)) claimed.set(operation, key)
    else answers.push(answer(operation, told, key, request))
  }
  await Promise.all(answers)
  const ofBatch = batchKey === undefined ? undefined : acquired.at(-1)!
  if (batchKey !== undefined && ofBatch !== undefined && !isHeld(ofBatch)) {
    // Nothing of this batch runs now, so what was claimed for its operations is given back.
    await giveBack([...claimed.values()], times, request)
    if (ofBatch._tag !== "replay") throw refusalOf(ofBatch)
    await replayAll(ofBatch.result, batchKey, request)
    return { claims: undefined, completed: true, unprotected: false }
  }
  const isBatchHeld = batchKey !== undefined && ofBatch !== undefined && isHeld(ofBatch)
  const journal = isBatchHeld ? await resume(ofBatch, batchKey, request) : undefined
  const claims = new Claims({ ...rest, settings, operations, times, claimed, journal, now, askedAt })
  return { claims, completed: false, unprotected: false }
}

const acquire = async (
  items: ReadonlyArray<AcquireItem>,
  times: IdempotencyTimes,
  request: ClaimRequest,
): Promise<ReadonlyArray<Acquired> | undefined> => {
  const { settings, timer, deadlineMs } = request
  let asked: Promise<unknown> = Promise.resolve()
  const ask = () => {
    const answer = settings.store.acquire(items, times)
    asked = answer
    return answer
  }
  try {
    return await withTimeout(ask, Math.min(answerMs(settings), Math.max(1000, deadlineMs)), timer)
  } catch {
    // It may have been done all the same, or be done yet; nothing runs under these claims.
    const free = () => void giveBack(items, times, request)
    free()
    asked.then(free, () => undefined)
    if (settings.failOpen) return undefined
    throw refuse(failure("STORE_UNAVAILABLE", storeUnavailable, { status: 503, retryAfter: 1 }))
  }
}

const timesOf = ({ ttlMs, leaseMs }: IdempotencySettings): IdempotencyTimes => ({
  owner: randomId(),
  leaseMs,
  pendingTtlMs: Math.max(ttlMs, leaseMs),
  resultTtlMs: ttlMs,
})

type Held = Extract<Acquired, { readonly fence: number }>

const isHeld = (acquired: Acquired): acquired is Held =>
  acquired._tag === "fresh" || acquired._tag === "taken-over" || acquired._tag === "mine"

const answer = async (
  operation: Operation,
  acquired: Exclude<Acquired, Held>,
  { key }: HashedKey,
  { settings, format }: ClaimRequest,
): Promise<void> => {
  switch (acquired._tag) {
    case "replay":
      operation.result = await decode(acquired.result, key, settings.codec, format)
      break
    case "in-progress":
      operation.result = OperationResult.refused(inProgress(acquired.retryAfterMs))
      break
    case "mismatch":
      operation.result = OperationResult.refused(keyReused())
      break
    case "indeterminate":
      operation.result = OperationResult.refused(indeterminate())
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
  const resumed = new BatchJournal(batchKey, journal)
  const { lines, isDamaged } = await readJournal(journal, batchKey, settings.codec, format)
  for (const operation of operations) {
    const found = lines.get(operation.index)
    if (found !== undefined) {
      resumed.set(operation, found.line)
      // What the operation's own key says may be less: that it is in progress, or that its outcome is not known.
      if (operation.result?.replayed !== true) operation.result = found.result
    } else if (isDamaged) operation.result ??= StoredResult.unreadable()
  }
  return resumed
}

const replayAll = async (stored: string, batchKey: HashedKey, { settings, operations, format }: ClaimRequest) => {
  const { lines } = await readJournal(stored, batchKey, settings.codec, format)
  for (const operation of operations) {
    operation.duplicateOf = undefined
    operation.result = lines.get(operation.index)?.result ?? StoredResult.unreadable()
  }
}

/** Attempts to give claims back to a store that does not answer, at longer and longer intervals. */
const attempts = 4

// They are free when the lease ends, if the store cannot be told; those that nobody may take over never are.
const giveBack = async (
  keys: ReadonlyArray<HashedKey>,
  times: IdempotencyTimes,
  { settings, timer }: Pick<ClaimRequest, "settings" | "timer">,
  attempt = 1,
): Promise<void> => {
  if (keys.length === 0) return
  const items = keys.map(({ key, fingerprint }) => ({ key, fingerprint, action: { _tag: "release" as const } }))
  try {
    await withTimeout(() => settings.store.settle(items, times), answerMs(settings), timer)
  } catch {
    if (attempt < attempts)
      timer(1000 * 2 ** attempt, () => void giveBack(keys, times, { settings, timer }, attempt + 1))
  }
}
