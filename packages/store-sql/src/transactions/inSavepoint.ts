/**
 * Runs a part of a transaction that can be rolled back on its own.
 */
import type { AmbientTransaction } from "./AmbientTransaction.ts"

let savepointCount = 0

/**
 * Runs `work` in a savepoint of an open transaction. It is rolled back if `work` rejects or `isKept` returns false for its
 * result. A rejection is passed on.
 *
 * **Details** If the rollback fails, `savepointError` of the transaction is set, and it must not be committed.
 *
 * @internal
 */
export const inSavepoint = async <A>(
  ambient: AmbientTransaction,
  work: () => PromiseLike<A>,
  isKept: (result: A) => boolean = () => true,
): Promise<A> => {
  const { transaction } = ambient
  if (transaction === undefined)
    throw new TypeError("A savepoint needs an open transaction, but the transaction has not begun")
  const name = `multistatus_${++savepointCount}`
  const savepoint = await transaction.savepoint(name).execute()
  try {
    const result = await work()
    if (isKept(result)) await savepoint.releaseSavepoint(name).execute()
    else await savepoint.rollbackToSavepoint(name).execute()
    return result
  } catch (error) {
    if (transaction.isRolledBack) throw error
    try {
      await savepoint.rollbackToSavepoint(name).execute()
    } catch (rollbackError) {
      ambient.savepointError ??= rollbackError
    }
    throw error
  }
}
