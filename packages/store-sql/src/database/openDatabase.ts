import {
  checkOptions,
  duration,
  type DurationInput,
  type OptionGroup,
  type SettingsOf,
  settingsOf,
  wholeNumber,
} from "@multistatus/core/store"
import type { ClientConfig } from "pg"
import { Kysely, MysqlDialect, PGliteDialect, PostgresDialect, sql, SqliteDialect, type Dialect } from "kysely"

import { type DatabaseDialect, type DatabaseUrl, parseDatabaseUrl, redactDatabaseUrl } from "./DatabaseUrl.ts"
import { guardDialect } from "../transactions/guardDialect.ts"
import { loadDriver } from "./loadDriver.ts"
import { prepareMarked } from "./prepareMarked.ts"

/** A database that answers: its Kysely handle, its dialect and how to let go of it. */
export interface OpenedDatabase<DB> {
  readonly db: Kysely<DB>
  readonly dialect: DatabaseDialect
  /** Connections of its pool at most. */
  readonly maxConnections: number
  /** Closes every connection once the queries under way have ended. */
  readonly close: () => Promise<void>
}

/** How a database is opened. */
export interface OpenDatabaseOptions {
  /** Connections of the pool. Default 10. SQLite and PGlite always hold one. */
  readonly maxConnections?: number | undefined
  /**
   * How long connecting may take. Default `"5 seconds"`. Waiting for a connection of a pool that is busy is not
   * limited here: batches have their deadline.
   */
  readonly connectTimeout?: DurationInput | undefined
  /** How long SQLite waits for the lock of another process. Default `"5 seconds"`. */
  readonly busyTimeout?: DurationInput | undefined
}

const page = "strategies.md"

const openDatabaseOptions = {
  maxConnections: { type: wholeNumber(), default: 10, page },
  connectTimeout: { type: duration(), default: "5 seconds", page },
  busyTimeout: { type: duration({ minimum: 0 }), default: "5 seconds", page },
} satisfies OptionGroup<OpenDatabaseOptions>

/**
 * Opens the database that a URL names and makes sure that it answers.
 *
 * **Details**
 *
 * `sqlite::memory:` and `sqlite:<file>` run on Node's own SQLite, `pglite:<directory>` and `pglite::memory:` on
 * PostgreSQL inside the process, `postgres://…` and `mysql://…` (or `mariadb://…`) on a server. The drivers `pg`,
 * `mysql2` and `@electric-sql/pglite` are loaded when they are needed.
 *
 * Rejects with an `Error` whose message names what is accepted (a URL it does not know), what to install (a driver
 * that is missing) or what does not answer; passwords are never part of it.
 */
export const openDatabase = async <DB>(url: string, options: OpenDatabaseOptions = {}): Promise<OpenedDatabase<DB>> => {
  checkOptions(openDatabaseOptions, options)
  const settings = settingsOf(openDatabaseOptions, options)
  const { maxConnections } = settings
  const parsed = parseDatabaseUrl(url)
  const dialect = guardDialect(await dialects[parsed.dialect](parsed, settings))
  const db = new Kysely<DB>({ dialect })
  try {
    await sql`select 1`.execute(db)
  } catch (error) {
    await db.destroy().catch(() => undefined)
    throw new Error(`Cannot open the database ${redactDatabaseUrl(url)}: ${reasonOf(error)}`, { cause: error })
  }
  const isPooled = parsed.dialect === "postgres" || parsed.dialect === "mysql"
  return {
    db,
    dialect: parsed.dialect,
    maxConnections: isPooled ? maxConnections : 1,
    close: () => db.destroy(),
  }
}

type OpenDatabaseSettings = SettingsOf<OpenDatabaseOptions, typeof openDatabaseOptions>

type MakeDialect = (url: DatabaseUrl, settings: OpenDatabaseSettings) => Promise<Dialect>

const dialects: Readonly<Record<DatabaseDialect, MakeDialect>> = {
  sqlite: async ({ target }, { busyTimeoutMs }) => {
    const { openNodeSqlite } = await import("./NodeSqlite.ts")
    return new SqliteDialect({ database: async () => openNodeSqlite(target, { busyTimeoutMs }) })
  },
  pglite: async ({ target }) => {
    const { PGlite } = await loadDriver("@electric-sql/pglite", "PGlite", () => import("@electric-sql/pglite"))
    return new PGliteDialect({ pglite: () => (target === ":memory:" ? new PGlite() : new PGlite(target)) })
  },
  postgres: async ({ target }, { maxConnections, connectTimeoutMs }) => {
    const { Client, Pool } = await loadDriver("pg", "PostgreSQL", () => import("pg"))
    // Told to the pool, the limit would hold for those who wait for a connection that others use, too.
    class TimelyClient extends Client {
      constructor(config?: ClientConfig) {
        super({ ...config, connectionTimeoutMillis: connectTimeoutMs })
      }
    }
    const pool = new Pool({ connectionString: target, max: maxConnections, Client: TimelyClient })
    prepareMarked(pool)
    // The pool has dropped a connection that broke while idle; without a listener the event would end the process.
    pool.on("error", () => undefined)
    // The same for one that breaks in the middle of a transaction, between two statements: the next one fails.
    pool.on("connect", (client) => client.on("error", () => undefined))
    return new PostgresDialect({ pool })
  },
  mysql: async ({ target }, { maxConnections, connectTimeoutMs }) => {
    const { createPool } = await loadDriver("mysql2", "MySQL or MariaDB", () => import("mysql2"))
    return new MysqlDialect({
      pool: createPool({ uri: target, connectionLimit: maxConnections, connectTimeout: connectTimeoutMs }),
    })
  },
}

// A host name with several addresses fails with an AggregateError, whose own message is empty.
const reasonOf = (error: unknown): string => {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  return error instanceof Error && error.message !== "" ? error.message : String(error)
}
