/** What is known of how the operations of one batch ended: what may be stored of it, and what nobody knows. */
import type { Failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { isFinal } from "../batch/OperationResult.ts"
import type { IdempotencySettings } from "./IdempotencySettings.ts"

/** The operations of a transaction that is about to commit. */
export type Inside = ReadonlySet<Operation>

/** Codes of results whose operation may have had its effect, or may be having it still. */
const ambiguous: ReadonlySet<Failure["code"]> = new Set(["TIMEOUT", "DEADLINE_EXCEEDED", "OUTCOME_UNKNOWN"])

export class OutcomeLedger {
  /** Operations whose results are not encoded, whatever is left out of them. */
  readonly unencodable = new Set<Operation>()
  private readonly operations: ReadonlyArray<Operation>
  private readonly onAmbiguous: IdempotencySettings["onAmbiguous"]
  /** Operations that were refused before anything ran, and are nothing to remember. */
  private readonly refused: ReadonlySet<Operation>
  /** Operations in a transaction of which it is not known what became; their results are provisional. */
  private readonly unsure = new Set<Operation>()
  /** Operations whose transaction came to nothing. */
  private readonly undone = new Set<Operation>()

  constructor(operations: ReadonlyArray<Operation>, { onAmbiguous }: Pick<IdempotencySettings, "onAmbiguous">) {
    this.operations = operations
    this.onAmbiguous = onAmbiguous
    this.refused = new Set(operations.filter(({ result }) => result !== undefined && !result.replayed))
  }

  /** Notes that the transaction of these operations has begun. */
  begin(operations: ReadonlyArray<Operation>): void {
    for (const operation of operations) this.unsure.add(operation)
  }

  /** Notes that it was committed. */
  commit(operations: ReadonlyArray<Operation>): void {
    for (const operation of operations) this.unsure.delete(operation)
  }

  /** Notes that it came to nothing, and `members` with it. */
  undo(operations: ReadonlyArray<Operation>, members: ReadonlyArray<Operation>): void {
    this.commit(operations)
    for (const operation of members) this.undone.add(operation)
  }

  /** Whether its transaction settles the operation, or has it settled when it has come to nothing. */
  isLeft(operation: Operation, inside: Inside | undefined): boolean {
    return inside === undefined && this.unsure.has(operation) && operation.result?.answered === true
  }

  /** Whether the operation has ended, or ends with the transaction of `inside`. */
  hasEnded(operation: Operation, inside: Inside | undefined): boolean {
    return inside?.has(operation) === true || (operation.result !== undefined && !this.unsure.has(operation))
  }

  /** Whether the result is one that a retry gets again. */
  isStorable(operation: Operation, inside: Inside | undefined): boolean {
    const { result } = operation
    if (result === undefined || this.undone.has(operation) || this.unencodable.has(operation)) return false
    if (this.refused.has(operation) || !isFinal(result)) return false
    return inside?.has(operation) === true || !this.unsure.has(operation)
  }

  /** Whether the operation may have had an effect, or may be having it still, that nothing is known of. */
  isAmbiguous(operation: Operation): boolean {
    const { result } = operation
    // Without a result the batch was refused after its keys had been claimed.
    if (result === undefined || result.outcome === "skipped" || this.undone.has(operation)) return false
    if (this.unencodable.has(operation) || ambiguous.has(result.failure?.code ?? "")) return true
    return result.answered && this.onAmbiguous(operation) === "hold"
  }

  /** Whether that holds of any operation of the batch. */
  areAmbiguous(): boolean {
    return this.operations.some(
      (operation) =>
        !this.refused.has(operation) &&
        (this.unsure.has(operation) || (!this.isStorable(operation, undefined) && this.isAmbiguous(operation))),
    )
  }
}
