/**
 * Runs a commit group inside one transaction. In an atomic group all operations commit or none; in a shared group each
 * failed operation is undone on its own.
 *
 * ```
 * waiting ── begin ──▶ open ── all calls have ended ──▶ committing ──▶ committed | outcome unknown
 *    ▲                  │                                   │
 *    └──────── transient error: the results are reset ◀─────┘          (no attempts left: conflict)
 *
 * open             ── an operation of an atomic group failed ──▶ rolled back
 * waiting, open    ── abort ──▶ results are final; the transaction rolls back
 * committing       ── abort ──▶ committing; the abort takes effect only if the transaction is retried
 * ```
 *
 * While a transaction is open or committing, results are provisional. Each handler call runs in a savepoint, see
 * `TransactionCall`. `TransactionResults` has the results of operations whose transaction did not commit.
 */
import type { Failure } from "../batch/Failure.ts"
import type { RunningGroup } from "./RunningGroup.ts"
import * as TransactionCall from "./TransactionCall.ts"
import * as TransactionResults from "./TransactionResults.ts"
import type { Transaction, TransactionOutcome } from "./UnitOfWork.ts"
import { readyOperations } from "./readyOperations.ts"

/** How a group is run in a transaction. */
export interface TransactionRunOptions<Input> extends TransactionCall.TransactionCallOptions<Input> {
  /** Milliseconds until the deadline of the batch. */
  readonly remainingMs: number
}

/**
 * Runs a group, and resolves when the transaction has ended and every operation has its result. Never rejects.
 */
export const run = async <Input>(
  running: RunningGroup<Input>,
  options: TransactionRunOptions<Input>,
): Promise<void> => {
  const { group, atomic } = running
  const attempted = group.operations.filter(({ result }) => result === undefined)
  const settle = (outcome: TransactionOutcome) => TransactionResults.settle(running, attempted, outcome)
  const isRefused = atomic && group.calls[0]?.some(({ result }) => result !== undefined && result.outcome !== "success")
  if (isRefused === true) return settle("rolled-back")
  let isCommitting = false
  let deferredAbort: Failure | undefined
  const reset = () => {
    isCommitting = false
    for (const operation of attempted) operation.result = undefined
  }
  running.settleAborted = (reason) => {
    if (isCommitting) deferredAbort = reason
    else TransactionResults.settleAborted(running, attempted, reason)
    return !isCommitting
  }
  try {
    const outcome = await options.unitOfWork.run(
      async (transaction) => {
        // The group may have been aborted while it waited for a connection. Its results are final then.
        if (running.ended) return "rollback"
        reset()
        running.currentCall = []
        if (deferredAbort !== undefined) {
          TransactionResults.settleAborted(running, attempted, deferredAbort)
          return "rollback"
        }
        const ending = await runCalls(running, transaction, options)
        isCommitting = ending === "commit"
        return ending
      },
      { remainingMs: options.remainingMs },
    )
    if (!running.ended) settle(outcome)
  } catch (defect) {
    if (running.ended) return
    reset()
    TransactionResults.settleDefect(running, attempted, defect, options.onDefect)
  }
}

const runCalls = async <Input>(
  running: RunningGroup<Input>,
  transaction: Transaction,
  options: TransactionRunOptions<Input>,
): Promise<"commit" | "rollback"> => {
  running.tx = transaction.handle
  for (const operations of running.group.calls) {
    const ready = readyOperations(operations)
    running.currentCall = ready
    if (ready.length > 0) await TransactionCall.run(ready, running, transaction, options)
    const hasFailed = running.atomic && operations.some(({ result }) => result?.outcome !== "success")
    if (running.ended || hasFailed) return "rollback"
  }
  return "commit"
}
