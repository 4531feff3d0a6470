/** Runs a commit group inside one transaction: all of its operations, or each undone alone if it fails. */
import { type Failure, failure } from "../batch/Failure.ts"
import type { Operation } from "../batch/Operation.ts"
import { OperationResult } from "../batch/OperationResult.ts"
import type { Transaction, TransactionOutcome, UnitOfWork } from "./UnitOfWork.ts"
import type { RunningGroup } from "./RunningGroup.ts"
import * as Coalescer from "./Coalescer.ts"
import { dueOperations } from "./dueOperations.ts"
import { yieldToEventLoop } from "../platform/yieldToEventLoop.ts"

/** How handlers are called within a transaction. */
export interface TransactionRunOptions<Input> {
  readonly unitOfWork: UnitOfWork
  /** Milliseconds that are left to the batch. */
  readonly remainingMs: number
  /** Calls a function when the time of one call is over, unless what it returns is called before. */
  readonly watch: (expire: () => void) => () => void
  readonly one: (operation: Operation<Input>, transaction: Transaction) => PromiseLike<OperationResult>
  readonly many: (
    operations: ReadonlyArray<Operation<Input>>,
    transaction: Transaction,
  ) => PromiseLike<ReadonlyArray<OperationResult>>
  readonly onDefect: (defect: unknown, operation: Operation<Input>) => OperationResult
}

const rolledBack = () =>
  OperationResult.refused(failure("ROLLED_BACK", "Undone: another operation of its group failed", { retryable: true }))

const conflict = () =>
  failure("CONFLICT", "Other changes got in the way, as often as it was tried", { retryable: true })

const unknown = () =>
  failure("OUTCOME_UNKNOWN", "Whether the transaction was committed could not be found out", { retryable: false })

/**
 * Runs the group of `call`; settles its operations when it is known what became of the transaction, never before.
 *
 * **Details** Until then results are provisional: a group that is given up meanwhile, or tried again after a conflict,
 * has done nothing. Once the commit is on its way the group cannot be given up.
 */
export const run = async <Input>(call: RunningGroup<Input>, options: TransactionRunOptions<Input>): Promise<void> => {
  const { group } = call
  const attempted = group.operations.filter(({ result }) => result === undefined)
  const atomic = group.transaction === "atomic"
  if (atomic && group.calls[0]?.some(({ result }) => result !== undefined && result.outcome !== "success") === true) {
    return conclude(call, attempted, "rolled-back")
  }
  let committing = false
  let late: Failure | undefined
  const forget = () => {
    committing = false
    for (const operation of attempted) operation.result = undefined
  }
  call.onGiveUp = (reason) => {
    if (committing) late = reason
    else giveUp(call, attempted, reason)
    return !committing
  }
  try {
    const outcome = await options.unitOfWork.run(
      async (transaction) => {
        // It may have been given up while it waited for a connection; its answer has been written since.
        if (call.over) return "rollback"
        forget()
        call.begun = []
        if (late !== undefined) {
          giveUp(call, attempted, late)
          return "rollback"
        }
        const ending = await runCalls(call, transaction, options)
        committing = ending === "commit"
        return ending
      },
      { remainingMs: options.remainingMs },
    )
    if (!call.over) conclude(call, attempted, outcome)
  } catch (defect) {
    if (call.over) return
    forget()
    for (const operation of attempted) {
      const first = operation === attempted[0]
      if (atomic && !first) operation.result = rolledBack()
      else operation.result = options.onDefect(defect, operation)
    }
  }
}

const runCalls = async <Input>(
  call: RunningGroup<Input>,
  transaction: Transaction,
  options: TransactionRunOptions<Input>,
): Promise<"commit" | "rollback"> => {
  const atomic = call.group.transaction === "atomic"
  call.tx = transaction.handle
  for (const operations of call.group.calls) {
    const due = dueOperations(operations)
    call.begun = due
    if (due.length > 0) await runCall(due, call, transaction, options)
    if (call.over || (atomic && operations.some(isUnsuccessful))) return "rollback"
  }
  return "commit"
}

const isUnsuccessful = ({ result }: Pick<Operation, "result">): boolean => result?.outcome !== "success"

// A transient error concerns the transaction, not the operation it happened in: it ends the attempt.
const runCall = <Input>(
  operations: ReadonlyArray<Operation<Input>>,
  call: RunningGroup<Input>,
  transaction: Transaction,
  { unitOfWork, watch, one, many, onDefect }: TransactionRunOptions<Input>,
): Promise<void> =>
  new Promise<void>((resolve, reject) => {
    const stopWatching = watch(call.expire)
    const finished = () => {
      stopWatching()
      resolve()
    }
    call.onAbort(finished)
    const atomic = call.group.transaction === "atomic"
    const alone = operations.length === 1
    const ask = <A>(
      run: () => PromiseLike<A>,
      isGood: (answer: A) => boolean,
      hear: (outcome: Coalescer.CallOutcome<A>) => void,
    ) => {
      within(transaction, atomic && alone, run, isGood).then(
        (value) => hear({ _tag: "answer", value }),
        (defect: unknown) => {
          // Its transaction is gone, which is what it will complain about.
          if (call.over) return
          if (unitOfWork.isTransient(defect)) {
            stopWatching()
            reject(defect)
          } else hear({ _tag: "defect", defect })
        },
      )
    }
    Coalescer.run<Input>(
      operations,
      {
        one: (operation, hear) =>
          ask(
            () => one(operation, transaction),
            ({ outcome }) => outcome === "success",
            hear,
          ),
        many: (operations, hear) =>
          ask(
            () => many(operations, transaction),
            () => true,
            hear,
          ),
        settle: (operation, result) => call.settle(operation, result),
        // The offender with the lowest index is the one that is told of: what comes after it need not be looked for.
        isOver: () => call.over || (atomic && operations.some(({ result }) => result?.outcome === "error")),
        breathe: yieldToEventLoop,
        onDefect,
      },
      finished,
    )
  })

// A lone operation of an atomic group needs no savepoint: if it fails, everything is undone.
const within = async <A>(
  transaction: Transaction,
  bare: boolean,
  run: () => PromiseLike<A>,
  isGood: (answer: A) => boolean,
): Promise<A> => {
  if (bare) return run()
  let answer: A | undefined
  await transaction.savepoint(async () => {
    answer = await run()
    return isGood(answer) ? "keep" : "undo"
  })
  return answer as A
}

const giveUp = <Input>(
  call: RunningGroup<Input>,
  attempted: ReadonlyArray<Operation<Input>>,
  reason: Failure,
): void => {
  const { group, begun } = call
  const isFailed = ({ result }: Operation) => result !== undefined && isUnsuccessful({ result })
  if (group.transaction === "atomic") {
    if (attempted.some(isFailed)) return conclude(call, attempted, "rolled-back")
    const running = attempted.find(({ result }) => result === undefined) ?? attempted[0]
    for (const operation of attempted) {
      operation.result = operation === running ? OperationResult.refused(reason) : rolledBack()
    }
    return
  }
  for (const operation of attempted) {
    if (isFailed(operation)) continue
    const running = operation.result === undefined && begun.includes(operation)
    if (reason.code === "TIMEOUT" && !running) operation.result = rolledBack()
    else if (running || operation.result !== undefined) operation.result = OperationResult.refused(reason)
    else operation.result = OperationResult.skipped(reason)
  }
}

const conclude = <Input>(
  { group }: RunningGroup<Input>,
  attempted: ReadonlyArray<Operation<Input>>,
  outcome: TransactionOutcome,
): void => {
  if (outcome === "committed") return
  const atomic = group.transaction === "atomic"
  for (const operation of attempted) {
    const succeeded = operation.result === undefined || operation.result.outcome === "success"
    if (outcome === "unknown") {
      if (succeeded) operation.result = OperationResult.refused(unknown())
    } else if (outcome === "conflict") {
      const told = !atomic || operation === attempted[0]
      operation.result = told ? OperationResult.refused(conflict()) : rolledBack()
    } else if (succeeded) operation.result = rolledBack()
  }
}
