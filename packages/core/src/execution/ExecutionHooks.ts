/** What a batch's idempotency claims hook into its execution. */
import type { Operation } from "../batch/Operation.ts"
import type { OperationResult } from "../batch/OperationResult.ts"
import type { UnitOfWork } from "./UnitOfWork.ts"

/** Hooks around the commit groups of one batch. */
export interface ExecutionHooks {
  /** Called before operations begin. Returns the result that they get instead of running, or undefined if they may run. */
  readonly refuse: (operations: ReadonlyArray<Operation>) => OperationResult | undefined
  /** Called when operations have their results. */
  readonly ended: (operations: ReadonlyArray<Operation>) => void
  /**
   * Returns the unit of work that a transaction runs in: `operations` are those to be run, `members` all operations
   * that are undone together with them.
   */
  readonly fence: (
    unitOfWork: UnitOfWork,
    operations: ReadonlyArray<Operation>,
    members: ReadonlyArray<Operation>,
  ) => UnitOfWork
}
