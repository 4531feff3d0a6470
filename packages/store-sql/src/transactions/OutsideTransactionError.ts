/**
 * The error for a statement that code inside a transaction sends outside of it.
 */
import { failure } from "@multistatus/core"

const inside =
  "Code inside a transaction sent a statement to the database outside of it, where the statement would not be rolled back or would wait forever: use ctx.tx, currentTransaction() or a database made with joinTransactions()"

const after =
  "Code sent a statement after its transaction was rolled back, and the statement would not be rolled back: stop when ctx.signal is aborted"

/**
 * The error of a statement that would run outside of the transaction of its code. The statement is not sent, and the
 * operation fails with the code `OUTSIDE_TRANSACTION`.
 */
export class OutsideTransactionError extends Error {
  override readonly name = "OutsideTransactionError"

  /** `after` means that the code still ran after its transaction was rolled back. Default `inside`. */
  constructor(when: "inside" | "after" = "inside") {
    const message = when === "inside" ? inside : after
    super(message)
    // The client sees this failure. A defect would be reported as an internal error without details.
    Object.assign(this, failure("OUTSIDE_TRANSACTION", message, { status: 500, retryable: false }))
  }
}
