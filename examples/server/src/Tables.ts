/**
 * The tables of the server: the same columns on every dialect.
 */
import { migrate as migrateStore, openDatabase, type OpenedDatabase } from "@multistatus/store-sql"
import { type Generated, sql } from "kysely"

import type { Configuration } from "./Configuration.ts"

/** The tables as Kysely types. */
export interface Tables {
  readonly users: {
    readonly seq: Generated<number>
    /** Order of creation: microseconds since 1970, increasing within a process. */
    readonly created: number
    readonly id: string
    readonly name: string
    readonly email: string | null
    /** The email in lower case; unique. */
    readonly email_key: string | null
    /** All other members of the user, as JSON text. */
    readonly attributes: string
  }
}

/** Opens the database, with a connection for each chunk of a job that may run at once, and some for requests. */
export const openTables = ({ databaseUrl, workers }: Configuration): Promise<OpenedDatabase<Tables>> =>
  openDatabase<Tables>(databaseUrl, { maxConnections: workers + requestConnections })

const requestConnections = 6

/**
 * Creates the tables of the server and of the stores, unless they exist.
 *
 * Servers that start on one PostgreSQL database at the same time wait for each other.
 */
export const migrate = async ({ db, dialect }: Pick<OpenedDatabase<Tables>, "db" | "dialect">): Promise<void> => {
  await migrateStore(db, dialect)
  const { seq, text, longText, index, suffix } = columnTypes[dialect]
  await db.transaction().execute(async (transaction) => {
    if (dialect === "postgres")
      await sql`select pg_advisory_xact_lock(hashtext('multistatus example'))`.execute(transaction)
    await sql`
      create table if not exists users (
        seq ${seq},
        created bigint not null,
        id ${text} not null unique,
        name ${text} not null,
        email ${text},
        email_key ${text} unique,
        attributes ${longText} not null
        ${index}
      ) ${suffix}
    `.execute(transaction)
    if (dialect === "mysql") return
    await sql`create index if not exists users_created on users (created)`.execute(transaction)
  })
}

const postgres = {
  seq: sql`bigint generated always as identity primary key`,
  text: sql`text`,
  longText: sql`text`,
  index: sql``,
  suffix: sql``,
}

const columnTypes = {
  sqlite: { ...postgres, seq: sql`integer primary key autoincrement` },
  pglite: postgres,
  postgres,
  mysql: {
    seq: sql`bigint auto_increment primary key`,
    text: sql`varchar(320)`,
    longText: sql`longtext`,
    // MySQL has no "create index if not exists", so the index is created with the table.
    index: sql`, key users_created (created)`,
    // Under the default collations, ids and emails that differ only in case or accents would be equal.
    suffix: sql`character set utf8mb4 collate utf8mb4_bin`,
  },
}
