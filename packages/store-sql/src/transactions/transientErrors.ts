/**
 * Which errors of databases say that a transaction may succeed when it is tried again.
 */

// SQLSTATE (PostgreSQL, PGlite): serialization failure, deadlock, lock not available.
const sqlStates = new Set<unknown>(["40001", "40P01", "55P03"])

// MySQL and MariaDB: lock wait timeout, deadlock, record changed since it was read.
const mysqlNumbers = new Set<unknown>([1205, 1213, 1020])

// SQLite: busy and locked; the higher bytes say more closely why.
const sqliteCodes = new Set<unknown>([5, 6])

/**
 * Whether an error is a deadlock, a serialization failure, or a lock that was waited for too long; the error itself or
 * any that caused it.
 */
export const isTransient = (error: unknown): boolean => {
  for (let current = error, depth = 0; current instanceof Error && depth < 8; current = current.cause, depth++) {
    const { code, errno, errcode } = current as { code?: unknown; errno?: unknown; errcode?: unknown }
    if (sqlStates.has(code) || mysqlNumbers.has(errno)) return true
    if (typeof errcode === "number" && sqliteCodes.has(errcode & 0xff)) return true
  }
  return false
}
