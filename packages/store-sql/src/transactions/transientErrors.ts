/**
 * Recognises database errors after which a transaction can be retried.
 */
import { isLostConnection } from "./connectionErrors.ts"

// SQLSTATE (PostgreSQL, PGlite): serialization failure, deadlock, lock not available.
const sqlStates = new Set<unknown>(["40001", "40P01", "55P03"])

// MySQL and MariaDB: lock wait timeout, deadlock, record changed since it was read.
const mysqlNumbers = new Set<unknown>([1205, 1213, 1020])

// SQLite: busy and locked. The higher bytes of the code hold details.
const sqliteCodes = new Set<unknown>([5, 6])

/**
 * Returns whether an error, or one of its causes, is a deadlock, a serialization failure or a lock timeout. The database has
 * then rolled back what failed, even if it was a commit.
 *
 * @internal
 */
export const isConflict = (error: unknown): boolean => {
  for (let current = error, depth = 0; current instanceof Error && depth < 8; current = current.cause, depth++) {
    const { code, errno, errcode } = current as { code?: unknown; errno?: unknown; errcode?: unknown }
    if (sqlStates.has(code) || mysqlNumbers.has(errno)) return true
    if (typeof errcode === "number" && sqliteCodes.has(errcode & 0xff)) return true
  }
  return false
}

/**
 * Returns whether an error, or one of its causes, is a deadlock, a serialization failure, a lock timeout or a lost connection
 * to the database. A transaction in which it occurs before the commit can be run again. The outcome of a commit or of a
 * single statement whose connection was lost is unknown.
 */
export const isTransient = (error: unknown): boolean => isConflict(error) || isLostConnection(error)
