/**
 * Runs raw SQL on a Kysely database or transaction, and resolves names as the plugins of the handle do.
 */
import {
  CompiledQuery,
  type Kysely,
  type KyselyPlugin,
  MysqlAdapter,
  PGliteAdapter,
  PostgresAdapter,
  sql,
  SqliteAdapter,
} from "kysely"

import type { DatabaseDialect } from "./DatabaseUrl.ts"

/** A row of a result. @internal */
export type Row = Readonly<Record<string, unknown>>

/** The result of a statement. @internal */
export interface Reply {
  readonly rows: ReadonlyArray<Row>
  /** Number of rows that an insert, update or delete affected. */
  readonly affected: number
  /** The key that the database generated, as the driver reports it. */
  readonly insertId: bigint | undefined
}

/** A database or a transaction that runs raw SQL. @internal */
export interface Session {
  readonly dialect: DatabaseDialect
  readonly inTransaction: boolean
  /** The same object for all sessions on one connection pool, including transactions. */
  readonly pool: object
  /** Runs a statement. Plugins of the handle transform its rows. */
  readonly run: (text: string, parameters: ReadonlyArray<unknown>) => Promise<Reply>
  /** Runs a statement without plugins and returns its rows. */
  readonly query: (text: string, parameters: ReadonlyArray<unknown>) => Promise<ReadonlyArray<Row>>
  /** Runs `work` in the transaction of this session, or else in a new transaction. */
  readonly atomically: <A>(work: (session: Session) => Promise<A>) => Promise<A>
  /** The quoted name of a table in the database, after plugins such as `withSchema`. */
  readonly tableText: (name: string) => string
  /** The name of a column in the database, after plugins such as `CamelCasePlugin`. */
  readonly columnName: (name: string) => string
}

/** Makes the session of a Kysely database or transaction. @internal */
export const openSession = <DB>(db: Kysely<DB>): Session => {
  const { adapter, plugins } = db.getExecutor()
  const dialect = dialectOf(adapter)
  const withoutPlugins = db.withoutPlugins()
  const untyped = db as unknown as Kysely<Record<string, Record<string, unknown>>>
  return {
    dialect,
    inTransaction: db.isTransaction,
    pool: adapter,
    run: async (text, parameters) => {
      const reply = await db.executeQuery<Row>(CompiledQuery.raw(text, [...parameters]))
      return { rows: reply.rows, affected: Number(reply.numAffectedRows ?? 0), insertId: reply.insertId }
    },
    query: async (text, parameters) =>
      (await withoutPlugins.executeQuery<Row>(CompiledQuery.raw(text, [...parameters]))).rows,
    atomically: (work) =>
      db.isTransaction
        ? work(openSession(db))
        : db.transaction().execute((transaction) => work(openSession<DB>(transaction))),
    // `withSchema` applies to tables of queries, not to names in raw SQL.
    tableText: (name) => untyped.selectFrom(name).selectAll().compile().sql.slice("select * from ".length),
    columnName: (name) => transformName(plugins, name, () => sql`${sql.id(name)}`.compile(db).sql),
  }
}

const dialectOf = (adapter: object): DatabaseDialect => {
  if (adapter instanceof PGliteAdapter) return "pglite"
  if (adapter instanceof PostgresAdapter) return "postgres"
  if (adapter instanceof MysqlAdapter) return "mysql"
  if (adapter instanceof SqliteAdapter) return "sqlite"
  throw new TypeError(
    "The database has an unsupported Kysely dialect: use PostgreSQL, PGlite, MySQL, MariaDB or SQLite with Kysely's own dialect",
  )
}

// Plugins can change names. The compiled query shows the resulting name.
const transformName = (plugins: ReadonlyArray<KyselyPlugin>, name: string, compile: () => string): string => {
  if (plugins.length === 0) return name
  const quoted = compile()
  const quote = quoted.charAt(0)
  return quoted.slice(1, -1).replaceAll(quote + quote, quote)
}
