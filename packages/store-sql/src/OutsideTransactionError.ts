/**
 * What code is told that asks the database itself while it runs in a transaction.
 */
import { failure } from "@multistatus/core"

const message =
  "A statement was sent to the database itself from within a transaction, where it would wait for its own transaction or escape it: use ctx.tx, currentTransaction(), or a database made with joinTransactions()"

/**
 * A statement that would have left the transaction it was called in. Its operation fails with the code
 * `OUTSIDE_TRANSACTION`, at once, with nothing sent.
 *
 * @category errors
 * @since 0.1.0
 */
export class OutsideTransactionError extends Error {
  override readonly name = "OutsideTransactionError"

  constructor() {
    super(message)
    // It is a mistake of the application's that its answer should show, so it counts as a failure, not as a defect.
    Object.assign(this, failure("OUTSIDE_TRANSACTION", message, { status: 500, retryable: false }))
  }
}
