/**
 * A Kysely handle as the statements on many rows need it: which database it is, how its plugins name things, and what
 * is known of its tables.
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

/** @internal */
export type Row = Readonly<Record<string, unknown>>

/** @internal */
export interface Reply {
  readonly rows: ReadonlyArray<Row>
  readonly affected: number
  readonly insertId: bigint | undefined
}

/** @internal */
export interface Session {
  readonly dialect: DatabaseDialect
  readonly inTransaction: boolean
  /** The same object for every session on one pool, transactions included. */
  readonly pool: object
  readonly run: (text: string, parameters: ReadonlyArray<unknown>) => Promise<Reply>
  /** Runs a look-up: its rows reach no plugin. */
  readonly look: (text: string, parameters: ReadonlyArray<unknown>) => Promise<ReadonlyArray<Row>>
  /** Runs `work` in the transaction of this session, or in one of its own. */
  readonly atomically: <A>(work: (session: Session) => Promise<A>) => Promise<A>
  /** The quoted name of a table, after plugins have had their say. */
  readonly tableText: (name: string) => string
  /** The name of a column in the database. */
  readonly columnName: (name: string) => string
}

/** @internal */
export const openSession = <DB>(db: Kysely<DB>): Session => {
  const { adapter, plugins } = db.getExecutor()
  const dialect = dialectOf(adapter)
  const plain = db.withoutPlugins()
  const named = db as unknown as Kysely<Record<string, Record<string, unknown>>>
  return {
    dialect,
    inTransaction: db.isTransaction,
    pool: adapter,
    run: async (text, parameters) => {
      const reply = await db.executeQuery<Row>(CompiledQuery.raw(text, [...parameters]))
      return { rows: reply.rows, affected: Number(reply.numAffectedRows ?? 0), insertId: reply.insertId }
    },
    look: async (text, parameters) => (await plain.executeQuery<Row>(CompiledQuery.raw(text, [...parameters]))).rows,
    atomically: (work) =>
      db.isTransaction
        ? work(openSession(db))
        : db.transaction().execute((transaction) => work(openSession<DB>(transaction))),
    // `withSchema` minds tables that are selected from, not those of raw SQL.
    tableText: (name) => named.selectFrom(name).selectAll().compile().sql.slice("select * from ".length),
    columnName: (name) => nameThrough(plugins, name, () => sql`${sql.id(name)}`.compile(db).sql),
  }
}

const dialectOf = (adapter: object): DatabaseDialect => {
  if (adapter instanceof PGliteAdapter) return "pglite"
  if (adapter instanceof PostgresAdapter) return "postgres"
  if (adapter instanceof MysqlAdapter) return "mysql"
  if (adapter instanceof SqliteAdapter) return "sqlite"
  throw new TypeError("Statements on many rows know PostgreSQL, PGlite, MySQL, MariaDB and SQLite")
}

// Without plugins a name is its own; with them, the compiler says what became of it.
const nameThrough = (plugins: ReadonlyArray<KyselyPlugin>, name: string, compile: () => string): string => {
  if (plugins.length === 0) return name
  const quoted = compile()
  const quote = quoted.charAt(0)
  return quoted.slice(1, -1).replaceAll(quote + quote, quote)
}
