/** The claims of a batch that are not settled yet, and whether they still belong to this execution. */
import { failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { BatchJournal } from "./BatchJournal.ts"
import type { HashedKey } from "./IdempotencyKeys.ts"
import type { Settled, SettleItem } from "./IdempotencyStore.ts"

export class OpenClaims {
  /** Whether the store refused to settle or extend a claim: another execution may have taken it over. */
  isLost = false
  private readonly keys: Map<Operation, HashedKey>
  private readonly journal: BatchJournal | undefined
  /** Keys that the store was asked to complete or release, whether or not it confirmed that. */
  private readonly closing = new Set<string>()

  constructor(claimed: ReadonlyMap<Operation, HashedKey>, journal: BatchJournal | undefined) {
    this.keys = new Map(claimed)
    this.journal = journal
  }

  /** Operations that have an open claim under their own key. */
  get operations(): Iterable<Operation> {
    return this.keys.keys()
  }

  /** The key under which an operation has an open claim of its own. */
  keyOf(operation: Operation): HashedKey | undefined {
    return this.keys.get(operation)
  }

  /** Whether a claim protects the operation: its own, or that of the batch. */
  protects(operation: Operation): boolean {
    return this.journal !== undefined || this.keys.has(operation)
  }

  /** Notes that the claims of these operations are settled. */
  close(operations: ReadonlyArray<Operation>): void {
    for (const operation of operations) this.keys.delete(operation)
  }

  /** Notes which claims these items complete or release. Returns the keys that no earlier call completed or released. */
  markClosing(items: ReadonlyArray<SettleItem>): ReadonlyArray<string> {
    const marked: Array<string> = []
    for (const { key, action } of items) {
      if ((action._tag !== "complete" && action._tag !== "release") || this.closing.has(key)) continue
      this.closing.add(key)
      marked.push(key)
    }
    return marked
  }

  /** Takes back `markClosing` for these keys. */
  unmarkClosing(keys: ReadonlyArray<string>): void {
    for (const key of keys) this.closing.delete(key)
  }

  /** Returns the items that extend the lease of every open claim. */
  extensions(): ReadonlyArray<SettleItem> {
    const keys = [...this.keys.values(), ...(this.journal === undefined ? [] : [this.journal.batchKey])]
    return keys.map(({ key, fingerprint }) => ({ key, fingerprint, action: { _tag: "extend" } }))
  }

  /** Notes the store's answer to `extensions`. */
  confirmExtended(items: ReadonlyArray<SettleItem>, answer: ReadonlyArray<Settled>): void {
    // The store also refuses to extend a claim that was settled meanwhile, and such a claim is not lost.
    this.isLost ||= items.some(({ key }, index) => answer[index] === "refused" && !this.closing.has(key))
  }
}

/** Makes the result of an operation whose claim was lost. */
export const claimLost = (): OperationResult =>
  OperationResult.refused(
    failure(
      "IDEMPOTENCY_IN_PROGRESS",
      "The lease of the idempotency key ended, and another request may be executing this operation: retry for its result",
      { retryable: true, retryAfter: 1 },
    ),
  )
