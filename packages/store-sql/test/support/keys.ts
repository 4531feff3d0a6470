/** A table of keys, for what transactions keep and undo to be seen in. */
import type { UnitOfWorkContract } from "@multistatus/core/testing"
import { type Kysely, sql } from "kysely"

import { joinTransactions } from "../../src/transactions/joinTransactions.ts"
import { openDatabase, type OpenDatabaseOptions, type OpenedDatabase } from "../../src/database/openDatabase.ts"
import { sqlUnitOfWork, type SqlUnitOfWorkOptions } from "../../src/transactions/sqlUnitOfWork.ts"

export interface Tables {
  readonly keys: { readonly name: string; readonly touched: number }
}

/** Opens a database and creates its table of keys. */
export const openKeys = async (url: string, options?: OpenDatabaseOptions): Promise<OpenedDatabase<Tables>> => {
  const opened = await openDatabase<Tables>(url, options)
  const { db, dialect } = opened
  await db.schema
    .createTable("keys")
    .ifNotExists()
    .addColumn("name", "varchar(100)", (column) => column.primaryKey())
    .addColumn("touched", "integer", (column) => column.notNull())
    .execute()
  if (dialect === "mysql") await createCommitTable(db)
  return opened
}

/** Creates the table that tells of commits whose reply was lost. */
export const createCommitTable = async <DB>(db: Kysely<DB>): Promise<void> => {
  await sql`create table if not exists multistatus_commit (id char(36) primary key, created_at datetime)`.execute(db)
}

export const addKey = async (db: Kysely<Tables>, name: string): Promise<void> => {
  await db.insertInto("keys").values({ name, touched: 0 }).execute()
}

export const keysIn = async (db: Kysely<Tables>): Promise<ReadonlyArray<string>> =>
  (await db.selectFrom("keys").select("name").orderBy("name").execute()).map(({ name }) => name)

const transientErrors = {
  sqlite: { errcode: 5 },
  postgres: { code: "40P01" },
  pglite: { code: "40001" },
  mysql: { errno: 1213 },
}

/** The keys of a database as the contract of units of work wants them. */
export const keysOf = async (url: string, options?: SqlUnitOfWorkOptions): Promise<UnitOfWorkContract.Subject> => {
  const { db, dialect, close } = await openKeys(url)
  const joining = joinTransactions(db)
  const on = (handle: unknown) => handle as Kysely<Tables>
  return {
    unitOfWork: sqlUnitOfWork(db, options),
    add: (handle, name) => addKey(on(handle), name),
    touch: async (handle, name) => {
      const changed = on(handle).updateTable("keys").where("name", "=", name)
      await changed.set(({ eb }) => ({ touched: eb("touched", "+", 1) })).execute()
    },
    addHere: (name) => addKey(joining, name),
    keys: () => keysIn(db),
    transientError: () => Object.assign(new Error("rivals"), transientErrors[dialect]),
    close,
  }
}
