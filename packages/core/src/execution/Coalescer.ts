/**
 * Runs coalesced handler calls. If a call throws as a whole, it is repeated with ever fewer operations to find the faulty
 * ones: these get errors of their own, and all others still succeed.
 */
import type { Operation } from "../batch/Operation.ts"
import type { OperationResult } from "../batch/OperationResult.ts"

/** Calls a handler, and calls `resolve` or `reject` once it has returned or thrown. */
export type Invoke<Request, A> = (
  request: Request,
  resolve: (value: A) => void,
  reject: (defect: unknown) => void,
) => void

/** How operations are run and settled. */
export interface CoalesceOptions<Input> {
  readonly runMany: Invoke<ReadonlyArray<Operation<Input>>, ReadonlyArray<OperationResult>>
  readonly runOne: Invoke<Operation<Input>, OperationResult>
  readonly settle: (operation: Operation<Input>, result: OperationResult) => void
  /** Whether no further call may start, because the group was aborted or has failed. */
  readonly hasEnded: () => boolean
  /** Yields to the event loop before the search for faulty operations. Default: continues at once. */
  readonly yieldToEventLoop?: ((run: () => void) => void) | undefined
  /** Returns the result of an operation that has thrown a defect. */
  readonly onDefect: (defect: unknown, operation: Operation<Input>) => OperationResult
}

/**
 * Runs coalesced operations, settles each as soon as its result is known, and then calls `finished`.
 *
 * **Details** A call that throws must have changed nothing. To find k faulty operations among n takes at most
 * 2 k log2(n) further calls.
 */
export const run = <Input>(
  operations: ReadonlyArray<Operation<Input>>,
  options: CoalesceOptions<Input>,
  finished: () => void,
): void => {
  const [first] = operations
  if (first !== undefined && operations.length === 1) return runOne(first, options, finished)
  const runSlice = (start: number, end: number, next: () => void) =>
    options.hasEnded() ? finished() : run(operations.slice(start, end), options, next)
  const runHalves = () => {
    const middle = operations.length >> 1
    runSlice(0, middle, () => runSlice(middle, operations.length, finished))
  }
  options.runMany(
    operations,
    (results) => {
      if (!options.hasEnded()) settleAll(results, operations, options)
      finished()
    },
    () => {
      if (options.hasEnded()) finished()
      else if (options.yieldToEventLoop === undefined) runHalves()
      else options.yieldToEventLoop(runHalves)
    },
  )
}

const runOne = <Input>(operation: Operation<Input>, options: CoalesceOptions<Input>, finished: () => void): void => {
  const settle = (result: OperationResult) => {
    options.settle(operation, result)
    finished()
  }
  options.runOne(operation, settle, (defect) => settle(options.onDefect(defect, operation)))
}

// With the wrong number of results it is unknown which operation got which. They have run, so they are not run again to
// find out: all are reported as defects.
const settleAll = <Input>(
  results: ReadonlyArray<OperationResult>,
  operations: ReadonlyArray<Operation<Input>>,
  { settle, onDefect }: CoalesceOptions<Input>,
): void => {
  if (results.length === operations.length) {
    return operations.forEach((operation, index) => settle(operation, results[index]!))
  }
  const defect = new TypeError(
    `runMany must return one result per operation, but returned ${results.length} for ${operations.length} operations`,
  )
  for (const operation of operations) settle(operation, onDefect(defect, operation))
}
