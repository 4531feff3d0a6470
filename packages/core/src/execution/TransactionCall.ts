/** Runs one handler call inside a transaction, with a timeout of its own and in savepoints that undo failures. */
import type { Operation } from "../batch/Operation.ts"
import type { OperationResult } from "../batch/OperationResult.ts"
import type { OnDefect } from "../batch/Dispatcher.ts"
import { yieldToEventLoop } from "../platform/yieldToEventLoop.ts"
import * as Coalescer from "./Coalescer.ts"
import type { RunningGroup } from "./RunningGroup.ts"
import type { Transaction, UnitOfWork } from "./UnitOfWork.ts"

/** How handlers are called inside a transaction. */
export interface TransactionCallOptions<Input> {
  readonly unitOfWork: UnitOfWork
  /** Starts the timeout of one call; the returned function cancels it. */
  readonly startTimeout: (expire: () => void) => () => void
  readonly runOne: (operation: Operation<Input>, transaction: Transaction) => PromiseLike<OperationResult>
  readonly runMany: (
    operations: ReadonlyArray<Operation<Input>>,
    transaction: Transaction,
  ) => PromiseLike<ReadonlyArray<OperationResult>>
  readonly onDefect: OnDefect
}

/**
 * Runs one call and gives its operations provisional results.
 *
 * **Details** Rejects with transient errors: they concern the whole transaction, which has to be retried.
 */
export const run = <Input>(
  operations: ReadonlyArray<Operation<Input>>,
  running: RunningGroup<Input>,
  transaction: Transaction,
  { unitOfWork, startTimeout, runOne, runMany, onDefect }: TransactionCallOptions<Input>,
): Promise<void> =>
  new Promise<void>((resolveCall, rejectCall) => {
    const { atomic } = running
    const cancelTimeout = startTimeout(running.timeOut)
    const finished = () => {
      cancelTimeout()
      resolveCall()
    }
    running.onAbort(finished)
    // A lone operation of an atomic group needs no savepoint: if it fails, the whole transaction is rolled back.
    const needsSavepoint = !(atomic && operations.length === 1)
    const invoke = <A>(
      call: () => PromiseLike<A>,
      isKept: (value: A) => boolean,
      resolve: (value: A) => void,
      reject: (defect: unknown) => void,
    ) => {
      const invoked = needsSavepoint ? inSavepoint(transaction, call, isKept) : call()
      invoked.then(resolve, (defect: unknown) => {
        // An aborted call fails because its transaction has ended.
        if (running.ended) return
        if (unitOfWork.isTransient(defect)) {
          cancelTimeout()
          rejectCall(defect)
        } else reject(defect)
      })
    }
    Coalescer.run<Input>(
      operations,
      {
        runOne: (operation, resolve, reject) =>
          invoke(
            () => runOne(operation, transaction),
            ({ outcome }) => outcome === "success",
            resolve,
            reject,
          ),
        runMany: (operations, resolve, reject) =>
          invoke(
            () => runMany(operations, transaction),
            () => true,
            resolve,
            reject,
          ),
        settle: (operation, result) => running.settle(operation, result),
        // The failure of an atomic group is that of its first failed operation, so no others need to be found.
        hasEnded: () => running.ended || (atomic && operations.some(({ result }) => result?.outcome === "error")),
        yieldToEventLoop,
        onDefect,
      },
      finished,
    )
  })

const inSavepoint = async <A>(
  transaction: Transaction,
  call: () => PromiseLike<A>,
  isKept: (value: A) => boolean,
): Promise<A> => {
  let value: A | undefined
  await transaction.savepoint(async () => {
    value = await call()
    return isKept(value) ? "keep" : "undo"
  })
  return value as A
}
