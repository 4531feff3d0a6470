/**
 * The database schema, the same on every dialect.
 */
import { migrate as migrateStore, openDatabase, type OpenedDatabase } from "@multistatus/store-sql"
import { type Generated, sql } from "kysely"

import type { Configuration } from "./Configuration.ts"

/** The tables, as Kysely sees them. */
export interface Tables {
  readonly users: {
    readonly seq: Generated<number>
    /** Order of creation: microseconds since 1970, later ones later. */
    readonly created: number
    readonly id: string
    readonly name: string
    readonly email: string | null
    /** The email in lower case: what makes two of them the same. */
    readonly email_key: string | null
    /** Every other member of the user, as JSON text. */
    readonly attributes: string
  }
}

/**
 * Opens the database that the tables are in, with a connection for each chunk of a job that may run at once, and some more.
 */
export const openTables = ({ databaseUrl, workers }: Configuration): Promise<OpenedDatabase<Tables>> =>
  openDatabase<Tables>(databaseUrl, { maxConnections: workers + forRequests })

const forRequests = 6

/**
 * Creates the tables, and what the store keeps in the database, where they are missing.
 *
 * **Details** Servers that start on one PostgreSQL database at once take turns.
 */
export const migrate = async ({ db, dialect }: Pick<OpenedDatabase<Tables>, "db" | "dialect">): Promise<void> => {
  await migrateStore(db, dialect)
  const { seq, text, longText, index, suffix } = types[dialect]
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

const types = {
  sqlite: { ...postgres, seq: sql`integer primary key autoincrement` },
  pglite: postgres,
  postgres,
  mysql: {
    seq: sql`bigint auto_increment primary key`,
    text: sql`varchar(320)`,
    longText: sql`longtext`,
    // MySQL cannot create an index only where it is missing, but with the table it can.
    index: sql`, key users_created (created)`,
    // The default collations would take ids and emails that differ in case or accents for the same.
    suffix: sql`character set utf8mb4 collate utf8mb4_bin`,
  },
}
