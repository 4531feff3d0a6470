import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"

import { openDatabase, type OpenedDatabase } from "@multistatus/store-sql"
import { freshDatabase } from "@multistatus/test-services"
import { type Generated, sql } from "kysely"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

interface Tables {
  readonly notes: { readonly id: Generated<number>; readonly text: string }
}

const directory = await mkdtemp(join(tmpdir(), "open-database-"))
afterAll(() => rm(directory, { recursive: true, force: true }))

const serial = {
  sqlite: sql`integer primary key autoincrement`,
  pglite: sql`bigserial primary key`,
  postgres: sql`bigserial primary key`,
  mysql: sql`bigint auto_increment primary key`,
}

const cases = [
  ["sqlite in memory", "sqlite", async () => "sqlite::memory:"],
  ["sqlite in a file", "sqlite", async () => `sqlite:${join(directory, "notes.db")}`],
  ["pglite in memory", "pglite", async () => "pglite::memory:"],
  ["pglite in a directory", "pglite", async () => `pglite:${join(directory, "pglite")}`],
  ["postgres", "postgres", () => freshDatabase(inject("postgresUrl"))],
  ["mysql", "mysql", () => freshDatabase(inject("mariadbUrl"))],
  ["mariadb", "mysql", async () => (await freshDatabase(inject("mariadbUrl"))).replace(/^mysql:/, "mariadb:")],
] as const

describe.each(cases)("openDatabase (%s)", (_, dialect, url) => {
  let database: OpenedDatabase<Tables>

  beforeAll(async () => {
    database = await openDatabase<Tables>(await url())
    await sql`create table notes (id ${serial[dialect]}, text varchar(20) unique not null)`.execute(database.db)
  })
  afterAll(() => database.close())

  it("names its dialect", () => {
    expect(database.dialect).toBe(dialect)
  })

  it("counts the rows that a statement touched", async () => {
    const { db } = database
    const inserted = await db
      .insertInto("notes")
      .values([{ text: "a" }, { text: "b" }])
      .executeTakeFirst()
    const updated = await db.updateTable("notes").set({ text: "c" }).where("text", "=", "a").executeTakeFirst()
    const deleted = await db.deleteFrom("notes").where("text", "in", ["b", "c", "d"]).executeTakeFirst()
    expect(inserted.numInsertedOrUpdatedRows).toBe(2n)
    expect(updated.numUpdatedRows).toBe(1n)
    expect(deleted.numDeletedRows).toBe(2n)
  })

  it("rolls back a failed transaction, and a savepoint alone", async () => {
    const { db } = database
    const failed = db.transaction().execute(async (transaction) => {
      await transaction.insertInto("notes").values({ text: "lost" }).execute()
      throw new Error("undo")
    })
    await expect(failed).rejects.toThrow("undo")

    const transaction = await db.startTransaction().execute()
    await transaction.insertInto("notes").values({ text: "kept" }).execute()
    const inner = await transaction.savepoint("inner").execute()
    await inner.insertInto("notes").values({ text: "dropped" }).execute()
    await (await inner.rollbackToSavepoint("inner").execute()).commit().execute()

    expect((await db.selectFrom("notes").select("text").execute()).map((note) => note.text)).toEqual(["kept"])
  })

  it("isolates transactions that run at once", async () => {
    const { db } = database
    await db.deleteFrom("notes").execute()
    const counts = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        db.transaction().execute(async (transaction) => {
          await transaction
            .insertInto("notes")
            .values({ text: `n${index}` })
            .execute()
          const mine = await transaction.selectFrom("notes").selectAll().where("text", "=", `n${index}`).execute()
          return mine.length
        }),
      ),
    )
    expect(counts).toEqual(Array.from({ length: 20 }, () => 1))
  })
})

it("keeps a file's rows after closing", async () => {
  const url = `sqlite:${join(directory, "kept.db")}`
  const first = await openDatabase<Tables>(url)
  await sql`create table notes (id integer primary key, text text)`.execute(first.db)
  await first.db.insertInto("notes").values({ text: "here" }).execute()
  await first.close()
  const second = await openDatabase<Tables>(url)
  expect(await second.db.selectFrom("notes").select("text").execute()).toEqual([{ text: "here" }])
  await second.close()
})

it("survives a PostgreSQL connection that breaks while idle", async () => {
  const { db, close } = await openDatabase<Tables>(await freshDatabase(inject("postgresUrl")), { maxConnections: 2 })
  await Promise.all([sql`select pg_sleep(0.1)`.execute(db), sql`select pg_sleep(0.1)`.execute(db)])
  const ended = await db.connection().execute((other) =>
    sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(other),
  )
  expect(ended.rows).toHaveLength(1)
  await setTimeout(200)
  const answers = await Promise.all([1, 2].map(() => sql<{ one: number }>`select 1 as one`.execute(db)))
  expect(answers.map((answer) => answer.rows)).toEqual([[{ one: 1 }], [{ one: 1 }]])
  await close()
})

describe("openDatabase refuses", () => {
  it.each(["", "users.db", "sqlite:", "redis://127.0.0.1", "postgres:users", "mysql:users", "postgres://[::"])(
    "%j, naming what is accepted",
    async (url) => {
      await expect(openDatabase(url)).rejects.toThrow(/is not a database URL; accepted are sqlite::memory:, .*mysql/)
    },
  )

  it.each([
    ["postgres://alice:secret@127.0.0.1:1/app", "postgres://alice:***@127.0.0.1:1/app"],
    ["mysql://alice:secret@127.0.0.1:1/app", "mysql://alice:***@127.0.0.1:1/app"],
  ])("a server that does not answer, without its password: %s", async (url, shown) => {
    const error: unknown = await openDatabase(url).catch((reason: unknown) => reason)
    expect(String(error)).toContain(`Cannot open the database ${shown}: connect ECONNREFUSED`)
    expect(String(error)).not.toContain("secret")
  })

  it("a file that cannot be opened", async () => {
    await expect(openDatabase(`sqlite:${join(directory, "no", "where.db")}`)).rejects.toThrow(
      /Cannot open the database sqlite:.*unable to open database file/,
    )
  })
})
