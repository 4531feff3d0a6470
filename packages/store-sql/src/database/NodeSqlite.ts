/**
 * Node's own SQLite in the shape that Kysely's SQLite dialect asks for.
 *
 * Not a driver of its own: connections, transactions and savepoints stay Kysely's.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"

import type { SqliteDatabase, SqliteStatement } from "kysely"

const cachedStatements = 128

// A statement on thousands of rows takes megabytes and is not met again soon.
const cachedLength = 20_000

/**
 * Opens an SQLite database for Kysely's `SqliteDialect`.
 *
 * **Details**
 *
 * `location` is a file or `:memory:`. Foreign keys are enforced and a locked database is waited for `busyTimeoutMs`
 * milliseconds (default 5000); a file is put in WAL mode, so that readers of other processes do not stop the writer.
 * The 128 statements used last stay prepared, very long ones excepted. Booleans are bound as 1 and 0, `undefined` as NULL.
 *
 * **Gotchas**
 *
 * Rows have no prototype, as `node:sqlite` makes them.
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
      const known = statements.get(sql)
      const statement = known ?? toStatement(database, sql)
      if (sql.length > cachedLength) return statement
      // Re-inserting keeps the map in order of use, so that its first key is the one to forget.
      if (known !== undefined) statements.delete(sql)
      else if (statements.size >= cachedStatements) statements.delete(statements.keys().next().value as string)
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
    // A statement has one cursor: stepping it for somebody else would end an iteration that is under way.
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
      // `node:sqlite` takes a leading object for named parameters and binds NULL without a word.
      throw new TypeError(`SQLite cannot store ${Object.prototype.toString.call(value)}; pass text, a number or bytes`)
  }
}
