/**
 * Recognises database errors after which a transaction can be retried.
 */

// SQLSTATE (PostgreSQL, PGlite): serialization failure, deadlock, lock not available.
const sqlStates = new Set<unknown>(["40001", "40P01", "55P03"])

// MySQL and MariaDB: lock wait timeout, deadlock, record changed since it was read.
const mysqlNumbers = new Set<unknown>([1205, 1213, 1020])

// SQLite: busy and locked. The higher bytes of the code hold details.
const sqliteCodes = new Set<unknown>([5, 6])

/**
 * Returns whether an error, or one of its causes, is a deadlock, a serialization failure or a lock timeout.
 */
export const isTransient = (error: unknown): boolean => {
  for (let current = error, depth = 0; current instanceof Error && depth < 8; current = current.cause, depth++) {
    const { code, errno, errcode } = current as { code?: unknown; errno?: unknown; errcode?: unknown }
    if (sqlStates.has(code) || mysqlNumbers.has(errno)) return true
    if (typeof errcode === "number" && sqliteCodes.has(errcode & 0xff)) return true
  }
  return false
}
