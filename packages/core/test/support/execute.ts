import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { internalFailure } from "../../src/batch/Failure.ts"
import type { Operation } from "../../src/batch/Operation.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import * as Plan from "../../src/planning/Plan.ts"
import { partial, type Strategy } from "../../src/batch/Strategy.ts"
import { type ExecuteOptions, Executor } from "../../src/execution/Executor.ts"
import type { Dispatcher } from "../../src/batch/Dispatcher.ts"

/** Options of an execution; by default there are no limits. */
export interface Execution extends Partial<ExecuteOptions> {
  readonly concurrency?: number
  readonly strategy?: Strategy
}

/** Plans and executes operations as the engine does. */
export const execute = <Input>(
  operations: ReadonlyArray<Operation<Input>>,
  dispatcher: Partial<Dispatcher<Input>>,
  { concurrency = 10, strategy = partial, ...options }: Execution = {},
): Effect.Effect<void> => {
  const complete: Dispatcher<Input> = {
    coalesces: () => dispatcher.runMany !== undefined,
    run: () => OperationResult.success(undefined),
    ...dispatcher,
  }
  const plan = Result.getOrThrow(Plan.make({ operations, strategy }, { concurrency, coalesces: complete.coalesces }))
  const running = Executor.use((executor) =>
    executor.execute(plan, complete, {
      deadlineMs: 60_000,
      operationTimeoutMs: undefined,
      signal: undefined,
      onDefect: () => OperationResult.error(internalFailure()),
      unitOfWork: undefined,
      hooks: undefined,
      ...options,
    }),
  )
  return Effect.provide(running, Executor.layer)
}

/** Creates operations that differ only in their index and id. */
export const operations = (count: number): ReadonlyArray<Operation<undefined>> =>
  Array.from({ length: count }, (_, index) => ({
    index,
    id: `op-${index}`,
    action: "create",
    input: undefined,
    orderKey: undefined,
    dependsOn: [],
    result: undefined,
  }))

/** Returns how each operation ended: its outcome, and the code of its failure if it has one. */
export const endings = (operations: ReadonlyArray<Operation>): ReadonlyArray<string | undefined> =>
  operations.map(({ result }) =>
    result?.failure === undefined ? result?.outcome : `${result.outcome} ${result.failure.code}`,
  )
