import type { Transaction, UnitOfWork } from "../execution/UnitOfWork.ts"

/** A unit of work inside an open transaction. */
export interface NestedUnitOfWork {
  readonly unitOfWork: UnitOfWork
  /** The transient error that has aborted the open transaction; undefined if none has. */
  readonly transientError: () => unknown
}

/**
 * Makes a unit of work whose transactions are savepoints of an open transaction. Each is committed or rolled back by itself,
 * and all of them are rolled back with the transaction. They must not overlap.
 */
export const nestedUnitOfWork = (transaction: Transaction, outer: UnitOfWork): NestedUnitOfWork => {
  let transientError: unknown
  const unitOfWork: UnitOfWork = {
    handle: transaction.handle,
    isTransient: outer.isTransient,
    run: async (work) => {
      let outcome = "rollback"
      try {
        await transaction.savepoint(async () => {
          outcome = await work(transaction)
          return outcome === "commit" ? "keep" : "undo"
        })
      } catch (error) {
        if (outer.isTransient(error)) transientError = error
        throw error
      }
      return outcome === "commit" ? "committed" : "rolled-back"
    },
  }
  return { unitOfWork, transientError: () => transientError }
}
