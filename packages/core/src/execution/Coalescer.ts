/**
 * Calls a many-at-once handler, and when it throws as a whole finds the offenders by calling it with ever fewer
 * operations: the good ones still go in, each bad one gets an error of its own.
 */
import type { Operation } from "../batch/Operation.ts"
import type { OperationResult } from "../batch/OperationResult.ts"

/** Calls a handler; `hear` is told what it answered or threw, once. */
export type Ask<Request, A> = (request: Request, hear: (outcome: CallOutcome<A>) => void) => void

export type CallOutcome<A> =
  | { readonly _tag: "answer"; readonly value: A }
  | { readonly _tag: "defect"; readonly defect: unknown }

export interface CoalesceOptions<Input> {
  readonly many: Ask<ReadonlyArray<Operation<Input>>, ReadonlyArray<OperationResult>>
  readonly one: Ask<Operation<Input>, OperationResult>
  readonly settle: (operation: Operation<Input>, result: OperationResult) => void
  /** Whether the call was given up meanwhile, so that nothing more may begin. */
  readonly isOver: () => boolean
  /** Lets others have the event loop before an offender is looked for. Default: goes on at once. */
  readonly breathe?: ((run: () => void) => void) | undefined
  /** What a defect of one operation is answered with. */
  readonly onDefect: (defect: unknown, operation: Operation<Input>) => OperationResult
}

/**
 * Runs coalesced operations and settles each as soon as it is known what became of it.
 *
 * **Details** A call that throws must have changed nothing. k offenders among n operations take at most
 * 2 k log2(n) further calls.
 */
export const run = <Input>(
  operations: ReadonlyArray<Operation<Input>>,
  options: CoalesceOptions<Input>,
  finished: () => void,
): void => {
  const [first] = operations
  if (first !== undefined && operations.length === 1) {
    return options.one(first, (outcome) => {
      options.settle(first, outcome._tag === "answer" ? outcome.value : options.onDefect(outcome.defect, first))
      finished()
    })
  }
  options.many(operations, (outcome) => {
    if (options.isOver()) return finished()
    if (outcome._tag === "answer") {
      settleAll(outcome.value, operations, options)
      return finished()
    }
    const middle = operations.length >> 1
    const half = (begin: number, end: number, next: () => void) =>
      options.isOver() ? finished() : run(operations.slice(begin, end), options, next)
    const search = () => half(0, middle, () => half(middle, operations.length, finished))
    if (options.breathe === undefined) search()
    else options.breathe(search)
  })
}

// It ran, so it must not be called again to find an offender: all that can be said is that something is wrong.
const settleAll = <Input>(
  results: ReadonlyArray<OperationResult>,
  operations: ReadonlyArray<Operation<Input>>,
  { settle, onDefect }: CoalesceOptions<Input>,
): void => {
  if (results.length === operations.length) {
    return operations.forEach((operation, index) => settle(operation, results[index]!))
  }
  const defect = new TypeError(`runMany answered ${results.length} results for ${operations.length} operations`)
  for (const operation of operations) settle(operation, onDefect(defect, operation))
}
