import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { QuotaStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { sql } from "kysely"
import { afterAll, expect, inject, it } from "vitest"

import { expectFound, mutants, openQuotas } from "../support/quotas.ts"

const directory = mkdtemp(join(tmpdir(), "multistatus-quota-"))
afterAll(async () => rm(await directory, { recursive: true, force: true }))

// PGlite, which runs the statements of PostgreSQL, is tested with the long tests.
const databases: ReadonlyArray<readonly [string, () => string | Promise<string>]> = [
  ["SQLite in memory", () => "sqlite::memory:"],
  ["SQLite in a file", async () => `sqlite:${join(await directory, "quota")}`],
  ["PostgreSQL", () => freshDatabase(inject("postgresUrl"))],
  ["MariaDB", () => freshDatabase(inject("mariadbUrl"))],
]

for (const [name, url] of databases) {
  QuotaStoreContract.suite(name, async () => openQuotas(await url()), { recognises: false, runs: 200 })
}

it.each(databases)("purges subjects whose quota is full again (%s)", async (_, url) => {
  const { db, store, close } = await openQuotas(await url())
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

// All mistakes, and many more histories, run with the long tests.
it("a mistake in the routine of PostgreSQL is found: a denied charge", () => expectFound(mutants["a denied charge"]!))
