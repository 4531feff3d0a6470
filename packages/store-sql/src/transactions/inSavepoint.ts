/**
 * Work inside a transaction that is kept or undone apart from the rest of it.
 */
import type { AmbientTransaction } from "./AmbientTransaction.ts"

let opened = 0

/**
 * Runs work in a savepoint of an open transaction. It is undone if `isKept` says so of its answer, or if it rejects; a
 * rejection is passed on.
 *
 * **Details** A savepoint that cannot be undone leaves the transaction `broken`: it must not be committed.
 *
 * @internal
 */
export const inSavepoint = async <A>(
  ambient: AmbientTransaction,
  work: () => PromiseLike<A>,
  isKept: (answer: A) => boolean = () => true,
): Promise<A> => {
  const { transaction } = ambient
  if (transaction === undefined) throw new TypeError("The transaction has not begun")
  const name = `multistatus_${++opened}`
  const named = await transaction.savepoint(name).execute()
  try {
    const answer = await work()
    if (isKept(answer)) await named.releaseSavepoint(name).execute()
    else await named.rollbackToSavepoint(name).execute()
    return answer
  } catch (error) {
    if (transaction.isRolledBack) throw error
    try {
      await named.rollbackToSavepoint(name).execute()
    } catch (failed) {
      ambient.broken ??= failed
    }
    throw error
  }
}
