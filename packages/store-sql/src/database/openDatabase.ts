import {
  checkOptions,
  duration,
  type DurationInput,
  flag,
  type OptionGroup,
  type SettingsOf,
  settingsOf,
  wholeNumber,
} from "@multistatus/core/store"
import type { ClientConfig, Pool } from "pg"
import { Kysely, MysqlDialect, PGliteDialect, PostgresDialect, sql, SqliteDialect, type Dialect } from "kysely"

import { type DatabaseDialect, type DatabaseUrl, parseDatabaseUrl, redactDatabaseUrl } from "./DatabaseUrl.ts"
import { guardDialect } from "../transactions/guardDialect.ts"
import { loadDriver } from "./loadDriver.ts"
import { prepareMarkedIf } from "./prepareMarked.ts"

/** An open database. */
export interface OpenedDatabase<DB> {
  /** The Kysely handle. */
  readonly db: Kysely<DB>
  /** The dialect, for `migrate` and `capabilities`. */
  readonly dialect: DatabaseDialect
  /** Maximum number of connections of the pool. */
  readonly maxConnections: number
  /** Waits for running queries and closes all connections. */
  readonly close: () => Promise<void>
}

/** Options of `openDatabase`. */
export interface OpenDatabaseOptions {
  /** Maximum number of connections of the pool. Default 10. SQLite and PGlite always use one. */
  readonly maxConnections?: number | undefined
  /**
   * Time after which a new connection times out. Default `"5 seconds"`. It does not limit the wait for a free connection
   * of a busy pool; a batch is limited by its own deadline.
   */
  readonly connectTimeout?: DurationInput | undefined
  /** Time that SQLite waits for a lock of another process. Default `"5 seconds"`. */
  readonly busyTimeout?: DurationInput | undefined
  /**
   * Whether PostgreSQL prepares statements by name, which saves planning them again. Set it to false, here or as
   * `?prepare=false` in the URL, behind a connection pooler in transaction mode, and to true behind one that supports prepared
   * statements. Default: true for a direct connection, false if a pooler such as PgBouncer answers.
   */
  readonly prepare?: boolean | undefined
}

const page = "strategies.md"

const openDatabaseOptions = {
  maxConnections: { type: wholeNumber(), default: 10, page },
  connectTimeout: { type: duration(), default: "5 seconds", page },
  prepare: { type: flag, defaultText: "true for a direct connection, false behind a pooler", page },
  busyTimeout: { type: duration({ minimum: 0 }), default: "5 seconds", page },
} satisfies OptionGroup<OpenDatabaseOptions>

/**
 * Opens the database of a URL and checks the connection.
 *
 * **Details**
 *
 * `sqlite::memory:` and `sqlite:<file>` use Node's built-in SQLite. `pglite::memory:` and `pglite:<directory>` run
 * PostgreSQL inside the process. `postgres://…`, `mysql://…` and `mariadb://…` connect to a server. The drivers `pg`,
 * `mysql2` and `@electric-sql/pglite` are loaded on demand.
 *
 * Rejects if the URL is invalid (the message lists the accepted forms), if the driver is not installed (the message names
 * the package) or if the database does not respond. Messages never contain the password.
 */
export const openDatabase = async <DB>(url: string, options: OpenDatabaseOptions = {}): Promise<OpenedDatabase<DB>> => {
  checkOptions(openDatabaseOptions, options)
  const settings = settingsOf(openDatabaseOptions, options)
  const { maxConnections } = settings
  const parsed = parseDatabaseUrl(url)
  const { dialect, afterOpen } = await dialects[parsed.dialect](parsed, settings)
  const db = new Kysely<DB>({ dialect: guardDialect(dialect) })
  try {
    await sql`select 1`.execute(db)
    await afterOpen?.()
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

interface OpenDialect {
  readonly dialect: Dialect
  /** Completes the settings of the connections. */
  readonly afterOpen?: () => Promise<void>
}

type MakeDialect = (url: DatabaseUrl, settings: OpenDatabaseSettings) => Promise<OpenDialect>

const dialects: Readonly<Record<DatabaseDialect, MakeDialect>> = {
  sqlite: async ({ target }, { busyTimeoutMs }) => {
    const { openNodeSqlite } = await import("./NodeSqlite.ts")
    return { dialect: new SqliteDialect({ database: async () => openNodeSqlite(target, { busyTimeoutMs }) }) }
  },
  pglite: async ({ target }) => {
    const { PGlite } = await loadDriver("@electric-sql/pglite", "PGlite", () => import("@electric-sql/pglite"))
    const pglite = () => (target === ":memory:" ? new PGlite() : new PGlite(target))
    return { dialect: new PGliteDialect({ pglite }) }
  },
  postgres: async ({ target, prepare: prepareOfUrl }, { maxConnections, connectTimeoutMs, prepare = prepareOfUrl }) => {
    const { Client, Pool } = await loadDriver("pg", "PostgreSQL", () => import("pg"))
    // On the pool, the same option would also limit the wait for a connection that is in use.
    class ClientWithTimeout extends Client {
      constructor(config?: ClientConfig) {
        super({ ...config, connectionTimeoutMillis: connectTimeoutMs })
      }
    }
    const pool = new Pool({ connectionString: target, max: maxConnections, Client: ClientWithTimeout })
    let isPreparing = prepare ?? false
    prepareMarkedIf(pool, () => isPreparing)
    // The pool drops a connection that breaks while idle. Without a listener the event would end the process.
    pool.on("error", () => undefined)
    // A connection can also break between two statements of a transaction: the next statement then fails.
    pool.on("connect", (client) => client.on("error", () => undefined))
    return {
      dialect: new PostgresDialect({ pool }),
      afterOpen: async () => {
        if (prepare === undefined) isPreparing = await isDirect(pool)
      },
    }
  },
  mysql: async ({ target }, { maxConnections, connectTimeoutMs }) => {
    const { createPool } = await loadDriver("mysql2", "MySQL or MariaDB", () => import("mysql2"))
    const pool = createPool({ uri: target, connectionLimit: maxConnections, connectTimeout: connectTimeoutMs })
    return { dialect: new MysqlDialect({ pool }) }
  },
}

// A pooler tells its clients a process id of its own, because the server process changes with each transaction.
const isDirect = async (pool: Pool): Promise<boolean> => {
  const client = await pool.connect()
  try {
    const { rows } = await client.query<{ readonly pid: number }>("select pg_backend_pid() as pid")
    return rows[0]?.pid === (client as { readonly processID?: number | null }).processID
  } finally {
    client.release()
  }
}

// A host name with several addresses fails with an AggregateError, whose message is empty.
const reasonOf = (error: unknown): string => {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  return error instanceof Error && error.message !== "" ? error.message : String(error)
}
