/**
 * What code is told that asks the database itself while it runs in a transaction.
 */
import { failure } from "@multistatus/core"

const inside =
  "A statement was sent to the database itself from within a transaction, where it would wait for its own transaction or escape it: use ctx.tx, currentTransaction(), or a database made with joinTransactions()"

const after =
  "A statement was sent by code that runs on after its transaction was undone, where it would stay: listen to ctx.signal"

/**
 * A statement that would have left the transaction it was called in. Its operation fails with the code
 * `OUTSIDE_TRANSACTION`, at once, with nothing sent.
 */
export class OutsideTransactionError extends Error {
  override readonly name = "OutsideTransactionError"

  /** `inside` by default; `after` tells of code that outlived its transaction. */
  constructor(when: "inside" | "after" = "inside") {
    const message = when === "inside" ? inside : after
    super(message)
    // It is a mistake of the application's that its answer should show, so it counts as a failure, not as a defect.
    Object.assign(this, failure("OUTSIDE_TRANSACTION", message, { status: 500, retryable: false }))
  }
}
