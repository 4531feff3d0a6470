import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { QuotaStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { sql } from "kysely"
import { afterAll, expect, inject, it } from "vitest"

import { migrate } from "../../src/migrations/migrate.ts"
import { openDatabase } from "../../src/database/openDatabase.ts"
import { postgresQuota } from "../../src/quota/postgres.ts"
import { chargeRoutine, postgresQuotaRoutines } from "../../src/quota/postgresRoutines.ts"
import { openSession } from "../../src/database/Session.ts"
import { quotaStoreOn, sqlQuotaStore } from "../../src/quota/sqlQuotaStore.ts"

const directory = mkdtemp(join(tmpdir(), "multistatus-quota-"))
afterAll(async () => rm(await directory, { recursive: true, force: true }))

const open = async (url: string) => {
  const { db, dialect, close } = await openDatabase<unknown>(url)
  await migrate(db, dialect)
  const second = url.startsWith("pglite") || url.endsWith(":memory:") ? undefined : await openDatabase<unknown>(url)
  return {
    db,
    store: sqlQuotaStore(db),
    other: second && sqlQuotaStore(second.db),
    close: async () => {
      await second?.close()
      await close()
    },
  }
}

const databases: ReadonlyArray<readonly [string, () => string | Promise<string>, number]> = [
  ["SQLite in memory", () => "sqlite::memory:", 2_000],
  ["SQLite in a file", async () => `sqlite:${join(await directory, "quota")}`, 2_000],
  ["PGlite", () => "pglite::memory:", 2_000],
  ["PostgreSQL", () => freshDatabase(inject("postgresUrl")), 2_000],
  ["MariaDB", () => freshDatabase(inject("mariadbUrl")), 2_000],
]

for (const [name, url, runs] of databases) {
  QuotaStoreContract.suite(name, async () => open(await url()), { recognises: false, runs })

  it(`forgets subjects that have their whole quota again (${name})`, async () => {
    const { db, store, close } = await open(await url())
    await sql`delete from multistatus_quota`.execute(db)
    const subjects = Array.from({ length: 5 }, (_, index) => "s".repeat(42) + index)
    const demands = [{ policy: "ops", limit: 10_000, windowMs: 1_000, base: 5_000, runs: [] }]
    const now = 1_900_000_000_000
    for (const subject of subjects) await store.charge({ subject, id: "i".repeat(22), minimum: 0, demands, now })
    expect(await store.purge(100, now + 499)).toBe(0)
    expect(await store.purge(3, now + 500)).toBe(3)
    expect(await store.purge(100, now + 500)).toBe(2)
    await close()
  })
}

it.each([
  [
    "no lock",
    (text: string) => text.replace("where q.subject = in_subject for update", "where q.subject = in_subject"),
  ],
  [
    "room for what is not there",
    (text: string) => text.replace("room := available + epsilon - bas", "room := available + epsilon"),
  ],
  ["every policy by itself", (text: string) => text.replace("most := least(most, fitting)", "most := fitting")],
  [
    "a charge of what was denied",
    (text: string) => text.replace("if granted then\n      arrival", "if true then\n      arrival"),
  ],
  ["no minimum", (text: string) => text.replace("most >= in_minimum and ", "")],
  ["one operation more", (text: string) => text.replace("floor(room / ", "ceil(room / ")],
])("a mistake in the routine of PostgreSQL is found: %s", async (_, change) => {
  const { db, close } = await open(await freshDatabase(inject("postgresUrl")))
  const session = openSession(db)
  const [charge] = postgresQuotaRoutines
  const changed = change(charge!)
  expect(changed).not.toBe(charge)
  expect(changed).toContain(chargeRoutine)
  await session.run(changed, [])
  const store = quotaStoreOn(session, postgresQuota)
  const rivals = async () => {
    const demands = [{ policy: "ops", limit: 10_000, windowMs: 3_600_000, base: 0, runs: [{ count: 1, cost: 1000 }] }]
    const charge = { subject: "s".repeat(43), id: "i".repeat(22), minimum: 1, demands }
    const decisions = await Promise.all(Array.from({ length: 200 }, () => store.charge(charge)))
    expect(decisions.filter(({ granted }) => granted).length).toBe(10)
  }
  await expect(Promise.all([QuotaStoreContract.check(store, { runs: 2_000 }), rivals()])).rejects.toThrow()
  await close()
})
