/** Hooks around the execution of commit groups, through which idempotency keys are claimed and settled. */
import type { Operation } from "../batch/Operation.ts"
import type { OperationResult } from "../batch/OperationResult.ts"
import type { UnitOfWork } from "./UnitOfWork.ts"

/** Hooks around the commit groups of one batch. */
export interface ExecutionHooks {
  /** Called before operations start. Returns the result that they get instead of running; undefined lets them run. */
  readonly refuse: (operations: ReadonlyArray<Operation>) => OperationResult | undefined
  /** Called when operations have their results. */
  readonly ended: (operations: ReadonlyArray<Operation>) => void
  /**
   * Returns the unit of work that a transaction runs in. `operations` are those that are about to run; `members` are all
   * operations that a rollback would undo.
   */
  readonly fence: (
    unitOfWork: UnitOfWork,
    operations: ReadonlyArray<Operation>,
    members: ReadonlyArray<Operation>,
  ) => UnitOfWork
}
