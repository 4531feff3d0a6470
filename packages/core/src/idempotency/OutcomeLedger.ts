/** Keeps track of how the operations of one batch ended: whose result may be stored, and whose effect is not known. */
import type { Failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { isFinal } from "../batch/OperationResult.ts"
import type { IdempotencySettings } from "./IdempotencySettings.ts"

/** The operations of a transaction that is about to commit. */
export type Committing = ReadonlySet<Operation>

/** Codes of results whose operation may have had its effect, or may still have it. */
const ambiguousCodes: ReadonlySet<Failure["code"]> = new Set(["TIMEOUT", "DEADLINE_EXCEEDED", "OUTCOME_UNKNOWN"])

export class OutcomeLedger {
  /** Operations whose result the codec rejected, even when reduced to a stub. */
  readonly unencodable = new Set<Operation>()
  private readonly operations: ReadonlyArray<Operation>
  private readonly onAmbiguous: IdempotencySettings["onAmbiguous"]
  /** Operations that have not ended. Duplicates are not among them: they get the result of their original. */
  private readonly running: Set<Operation>
  /** Operations that were refused before anything ran. */
  private readonly refused: ReadonlySet<Operation>
  /** Operations in a transaction whose outcome is not known yet. Their results are provisional. */
  private readonly inDoubt = new Set<Operation>()
  /** Operations that were undone by the rollback of their transaction. */
  private readonly undone = new Set<Operation>()

  constructor(operations: ReadonlyArray<Operation>, { onAmbiguous }: Pick<IdempotencySettings, "onAmbiguous">) {
    this.operations = operations
    this.onAmbiguous = onAmbiguous
    this.refused = new Set(operations.filter(({ result }) => result !== undefined && !result.replayed))
    this.running = new Set(
      operations.filter(({ result, duplicateOf }) => result === undefined && duplicateOf === undefined),
    )
  }

  /** Notes that operations have ended, and returns those that were still running. */
  end(operations: ReadonlyArray<Operation>): ReadonlyArray<Operation> {
    return operations.filter((operation) => this.running.delete(operation))
  }

  /** Whether every operation has ended. */
  get isOver(): boolean {
    return this.running.size === 0
  }

  /** Whether every operation has ended once the transaction commits. */
  isOverAfter(committing: Committing): boolean {
    return [...this.running].every(
      (operation) => committing.has(operation) || (operation.result !== undefined && !this.inDoubt.has(operation)),
    )
  }

  /** Notes that the transaction of these operations has begun. */
  begin(operations: ReadonlyArray<Operation>): void {
    for (const operation of operations) this.inDoubt.add(operation)
  }

  /** Notes that the transaction of these operations was committed. */
  commit(operations: ReadonlyArray<Operation>): void {
    for (const operation of operations) this.inDoubt.delete(operation)
  }

  /** Notes that the transaction of these operations was rolled back, which undid all `members`. */
  rollBack(operations: ReadonlyArray<Operation>, members: ReadonlyArray<Operation>): void {
    for (const operation of operations) this.inDoubt.delete(operation)
    for (const operation of members) this.undone.add(operation)
  }

  /** Whether the operation cannot be settled yet, because its transaction is still open. */
  awaitsTransaction(operation: Operation, committing: Committing | undefined): boolean {
    return committing === undefined && this.inDoubt.has(operation) && operation.result?.answered === true
  }

  /** Whether the result is final, so that a retry gets it again. */
  isStorable(operation: Operation, committing: Committing | undefined): boolean {
    const { result } = operation
    if (result === undefined || this.undone.has(operation) || this.unencodable.has(operation)) return false
    if (this.refused.has(operation) || !isFinal(result)) return false
    return committing?.has(operation) === true || !this.inDoubt.has(operation)
  }

  /** Whether the operation may have had an effect, or may still have it, that no stored result tells of. */
  isAmbiguous(operation: Operation): boolean {
    const { result } = operation
    // An operation has no result where the batch was refused after its keys had been claimed.
    if (result === undefined || result.outcome === "skipped" || this.undone.has(operation)) return false
    if (this.unencodable.has(operation) || result.interrupted || ambiguousCodes.has(result.failure?.code ?? ""))
      return true
    return result.answered && this.onAmbiguous(operation) === "hold"
  }

  /** Whether any operation of the batch is ambiguous and has no storable result. */
  hasAmbiguous(): boolean {
    return this.operations.some(
      (operation) =>
        !this.refused.has(operation) &&
        (this.inDoubt.has(operation) || (!this.isStorable(operation, undefined) && this.isAmbiguous(operation))),
    )
  }
}
