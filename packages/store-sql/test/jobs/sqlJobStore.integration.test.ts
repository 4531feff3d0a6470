import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { JobStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { afterAll, expect, inject, it } from "vitest"

import { migrate } from "../../src/migrations/migrate.ts"
import { openDatabase } from "../../src/database/openDatabase.ts"
import { sqlJobStore } from "../../src/jobs/sqlJobStore.ts"

const directory = mkdtemp(join(tmpdir(), "multistatus-jobs-"))
afterAll(async () => rm(await directory, { recursive: true, force: true }))

const open = async (url: string): Promise<JobStoreContract.Backend> => {
  const { db, dialect, close } = await openDatabase<unknown>(url)
  await migrate(db, dialect)
  const second = url.startsWith("postgres") ? await openDatabase<unknown>(url) : undefined
  return {
    store: sqlJobStore(db),
    other: second && sqlJobStore(second.db),
    transaction: (work) => db.transaction().execute((handle) => work(handle)),
    close: async () => {
      await second?.close()
      await close()
    },
  }
}

let files = 0

const options = { transactional: true, runs: 30, shrinks: false }

JobStoreContract.suite("SQLite in memory", () => open("sqlite::memory:"), { ...options, runs: 150 })
JobStoreContract.suite(
  "SQLite in a file",
  async () => open(`sqlite:${join(await directory, `jobs-${files++}`)}`),
  options,
)
JobStoreContract.suite("PGlite", () => open("pglite::memory:"), { ...options, runs: 10 })
JobStoreContract.suite("PostgreSQL", async () => open(await freshDatabase(inject("postgresUrl"))), options)

it("throws on MySQL and MariaDB, which cannot store jobs", async () => {
  const { db, close } = await openDatabase<unknown>(await freshDatabase(inject("mariadbUrl")))
  expect(() => sqlJobStore(db)).toThrow("redisJobs")
  await close()
})
