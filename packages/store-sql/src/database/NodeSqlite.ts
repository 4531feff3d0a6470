/**
 * Adapts `node:sqlite` to the interface that Kysely's SQLite dialect needs.
 *
 * Kysely's driver still manages connections, transactions and savepoints.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"

import type { SqliteDatabase, SqliteStatement } from "kysely"

const maximumCachedStatements = 128

// A statement on thousands of rows takes megabytes and is rarely repeated.
const maximumCachedLength = 20_000

/**
 * Opens an SQLite database for Kysely's `SqliteDialect`.
 *
 * **Details**
 *
 * `location` is a file or `:memory:`. Foreign keys are enforced. A statement waits up to `busyTimeoutMs` milliseconds
 * (default 5000) for a locked database. A file is put into WAL mode, so readers of other processes do not block the
 * writer. The 128 most recently used statements stay prepared, except very long ones. Booleans are bound as 1 and 0,
 * `undefined` as NULL.
 *
 * **Gotchas**
 *
 * Rows have no prototype, as usual in `node:sqlite`.
 */
export const openNodeSqlite = (location: string, options?: { readonly busyTimeoutMs?: number }): SqliteDatabase => {
  const database = new DatabaseSync(location, { timeout: options?.busyTimeoutMs ?? 5000 })
  try {
    if (location !== ":memory:") database.exec("pragma journal_mode = wal")
    database.exec("pragma foreign_keys = on")
  } catch (error) {
    database.close()
    throw error
  }
  const statements = new Map<string, SqliteStatement>()
  return {
    close() {
      statements.clear()
      database.close()
    },
    prepare(sql) {
      const cached = statements.get(sql)
      const statement = cached ?? toStatement(database, sql)
      if (sql.length > maximumCachedLength) return statement
      // Inserting again keeps the map in order of use, so its first key is the least recently used.
      if (cached !== undefined) statements.delete(sql)
      else if (statements.size >= maximumCachedStatements) statements.delete(statements.keys().next().value as string)
      statements.set(sql, statement)
      return statement
    },
  }
}

const toStatement = (database: DatabaseSync, sql: string): SqliteStatement => {
  const statement: StatementSync = database.prepare(sql)
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...parameters.map(toInput)),
    run: (parameters) => statement.run(...parameters.map(toInput)),
    // A statement has one cursor, so a second iteration of the same statement would end the first one.
    iterate: (parameters) => database.prepare(sql).iterate(...parameters.map(toInput)),
  }
}

const toInput = (value: unknown): SQLInputValue => {
  switch (typeof value) {
    case "string":
    case "number":
    case "bigint":
      return value
    case "boolean":
      return value ? 1 : 0
    case "undefined":
      return null
    default:
      if (value === null || value instanceof Uint8Array) return value
      // `node:sqlite` treats a leading object as named parameters and silently binds NULL.
      throw new TypeError(`SQLite cannot store ${Object.prototype.toString.call(value)}: pass text, a number or bytes`)
  }
}
