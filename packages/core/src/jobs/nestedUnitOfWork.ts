import type { Transaction, UnitOfWork } from "../execution/UnitOfWork.ts"

/** A unit of work inside of an open transaction. */
export interface NestedUnitOfWork {
  readonly unitOfWork: UnitOfWork
  /** The transient error that has ended the open transaction; undefined while none has. */
  readonly broken: () => unknown
}

/**
 * Makes savepoints of an open transaction what transactions are elsewhere: each is kept or undone by itself, and all of
 * them with it. They must not overlap.
 */
export const nestedUnitOfWork = (transaction: Transaction, outer: UnitOfWork): NestedUnitOfWork => {
  let error: unknown
  const unitOfWork: UnitOfWork = {
    handle: transaction.handle,
    isTransient: outer.isTransient,
    run: async (work) => {
      let ending = "rollback"
      try {
        await transaction.savepoint(async () => {
          ending = await work(transaction)
          return ending === "commit" ? "keep" : "undo"
        })
      } catch (thrown) {
        if (outer.isTransient(thrown)) error = thrown
        throw thrown
      }
      return ending === "commit" ? "committed" : "rolled-back"
    },
  }
  return { unitOfWork, broken: () => error }
}
