import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { migrate, openDatabase, type OpenedDatabase } from "@multistatus/store-sql"
import { freshDatabase } from "@multistatus/test-services"
import { CamelCasePlugin, sql } from "kysely"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

const directory = await mkdtemp(join(tmpdir(), "migrate-"))
afterAll(() => rm(directory, { recursive: true, force: true }))

const cases = [
  ["sqlite", 4, async () => `sqlite:${join(directory, "store.db")}`],
  ["pglite", 1, async () => "pglite::memory:"],
  ["postgres", 4, () => freshDatabase(inject("postgresUrl"))],
  ["mysql", 4, () => freshDatabase(inject("mariadbUrl"))],
] as const

interface Recorded {
  readonly multistatus_migration: { readonly name: string }
}

describe.each(cases)("migrate (%s)", (dialect, clients, makeUrl) => {
  let opened: ReadonlyArray<OpenedDatabase<Recorded>>
  beforeAll(async () => {
    const url = await makeUrl()
    opened = await Promise.all(Array.from({ length: clients }, () => openDatabase<Recorded>(url)))
  })
  const close = () => Promise.all(opened.map((database) => database.close()))
  afterAll(close)

  it("can be run by several at once, and again", async () => {
    await Promise.all(opened.map(({ db }) => migrate(db, dialect)))
    const { db } = opened[0]!
    const recorded = async () =>
      (await db.selectFrom("multistatus_migration").select("name").orderBy("name").execute()).map(({ name }) => name)
    const first = await recorded()
    await migrate(db, dialect)
    expect(await recorded()).toEqual(first)
  })

  it("rejects with the error of the database", async () => {
    await close()
    await expect(migrate(opened[0]!.db, dialect)).rejects.toThrow()
  })
})

it("leaves the application's own migrations and plugins alone", async () => {
  const { db, close } = await openDatabase<Recorded>("sqlite::memory:")
  await sql`create table kysely_migration (name text)`.execute(db)
  await migrate(db.withPlugin(new CamelCasePlugin()), "sqlite")
  const { rows } = await sql<{
    readonly name: string
  }>`select name from sqlite_master where type = 'table' order by name`.execute(db)
  const names = rows.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(["kysely_migration", "multistatus_migration"]))
  expect(names.filter((name) => name !== "kysely_migration" && !name.startsWith("multistatus_"))).toEqual([])
  await close()
})
