/** The results of operations whose transaction did not commit. */
import { type Failure, failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { OnDefect } from "../batch/Dispatcher.ts"
import type { RunningGroup } from "./RunningGroup.ts"
import type { TransactionOutcome } from "./UnitOfWork.ts"

const rolledBack = () =>
  OperationResult.refused(
    failure("ROLLED_BACK", "Rolled back: another operation of its group failed", { retryable: true }),
  )

const conflict = () =>
  OperationResult.refused(
    failure("CONFLICT", "The transaction conflicted with others on every attempt: retry later", { retryable: true }),
  )

const outcomeUnknown = () =>
  OperationResult.refused(
    failure("OUTCOME_UNKNOWN", "It is unknown whether the transaction was committed", { retryable: false }),
  )

/** Settles the `attempted` operations of a group by the outcome of its transaction. */
export const settle = <Input>(
  { atomic }: RunningGroup<Input>,
  attempted: ReadonlyArray<Operation<Input>>,
  outcome: TransactionOutcome,
): void => {
  if (outcome === "committed") return
  for (const operation of attempted) {
    const hasFailed = isFailed(operation)
    if (outcome === "conflict") {
      operation.result = atomic && operation !== attempted[0] ? rolledBack() : conflict()
    } else if (!hasFailed) operation.result = outcome === "unknown" ? outcomeUnknown() : rolledBack()
  }
}

/** Settles the operations of a group that is aborted before it commits; `reason` is why. */
export const settleAborted = <Input>(
  running: RunningGroup<Input>,
  attempted: ReadonlyArray<Operation<Input>>,
  reason: Failure,
): void => {
  if (!running.atomic) return settleAbortedShared(running, attempted, reason)
  if (attempted.some(isFailed)) return settle(running, attempted, "rolled-back")
  const interrupted = attempted.find(({ result }) => result === undefined) ?? attempted[0]
  for (const operation of attempted) {
    operation.result = operation === interrupted ? OperationResult.interrupted(reason) : rolledBack()
  }
}

const settleAbortedShared = <Input>(
  { currentCall }: RunningGroup<Input>,
  attempted: ReadonlyArray<Operation<Input>>,
  reason: Failure,
): void => {
  for (const operation of attempted) {
    if (isFailed(operation)) continue
    const isInterrupted = operation.result === undefined && currentCall.includes(operation)
    if (reason.code === "TIMEOUT" && !isInterrupted) operation.result = rolledBack()
    else if (isInterrupted || operation.result !== undefined) operation.result = OperationResult.interrupted(reason)
    else operation.result = OperationResult.skipped(reason)
  }
}

/** Settles the operations of a group whose transaction failed unexpectedly, such as in its commit. */
export const settleDefect = <Input>(
  { atomic }: RunningGroup<Input>,
  attempted: ReadonlyArray<Operation<Input>>,
  defect: unknown,
  onDefect: OnDefect,
): void => {
  for (const operation of attempted) {
    operation.result = atomic && operation !== attempted[0] ? rolledBack() : onDefect(defect, operation)
  }
}

const isFailed = ({ result }: Operation): boolean => result !== undefined && result.outcome !== "success"
