import { createHash } from "node:crypto"

import { migrate, openDatabase, sqlIdempotencyStore, sqlQuotaStore } from "@multistatus/store-sql"
import { sql } from "kysely"
import { describe, expect, it, onTestFinished } from "vitest"

import { latestMigration } from "../../src/database/storeSchema.ts"
import { storeMigrations } from "../../src/migrations/migrations.ts"
import { urls } from "../support/people.ts"

interface Tables {
  readonly multistatus_migration: { readonly name: string; readonly timestamp: string }
}

describe.each(urls)("the schema of the stores (%s)", (dialect, makeUrl) => {
  const open = async () => {
    const { db, close } = await openDatabase<Tables>(await makeUrl())
    onTestFinished(close)
    return { db, stores: [sqlIdempotencyStore(db), sqlQuotaStore(db)] }
  }

  it("is checked at start, and a missing table says to run migrate", async () => {
    const { db, stores } = await open()
    for (const { check } of stores) await expect(check()).rejects.toThrow(`run migrate(db, "${dialect}")`)
    await migrate(db, dialect)
    for (const { check } of stores) await check()
  })

  it("is missed with the same sentence by every call", async () => {
    const { db } = await open()
    const message = `run migrate(db, "${dialect}")`
    const times = { owner: "o".repeat(22), leaseMs: 1000, pendingTtlMs: 1000, resultTtlMs: 1000 }
    const item = { key: "k".repeat(43), fingerprint: "f".repeat(43), mode: "retry" } as const
    await expect(sqlIdempotencyStore(db).acquire([item], times)).rejects.toThrow(message)
    const rules = [{ policy: "p", limit: 1, windowMs: 1000 }]
    await expect(sqlQuotaStore(db).peek("s".repeat(43), rules)).rejects.toThrow(message)
  })

  it("is refused if it is older than this release, or newer and not compatible", async () => {
    const { db, stores } = await open()
    await migrate(db, dialect)
    const add = (name: string) =>
      db.insertInto("multistatus_migration").values({ name, timestamp: "2030-01-01T00:00:00Z" }).execute()
    await add("9998_index")
    for (const { check } of stores) await check()
    await add("9999_keys_breaking")
    for (const { check } of stores) {
      await expect(check()).rejects.toThrow(
        "migrated by a newer release of @multistatus/store-sql (9999_keys_breaking)",
      )
    }
    await sql`delete from multistatus_migration where name in ('0003_idempotency', '0004_quota')`.execute(db)
    for (const { check } of stores) await expect(check()).rejects.toThrow("is older than this release")
  })
})

describe("migrations", () => {
  const names = Object.values(storeMigrations).flatMap((migrations) => migrations.map(({ name }) => name))

  it("are numbered up to the latest that this release knows", () => {
    expect(Math.max(...names.map((name) => Number.parseInt(name, 10)))).toBe(latestMigration)
  })

  // An edited migration is not run again on databases that have it. Add a new one instead of changing a hash.
  it("are never edited", () => {
    const hashes = Object.entries(storeMigrations).flatMap(([dialect, migrations]) =>
      migrations.map(({ name, statements }) => {
        const hash = createHash("sha256").update(statements.join("\n;\n")).digest("hex").slice(0, 16)
        return `${dialect} ${name} ${hash}`
      }),
    )
    expect(hashes).toMatchInlineSnapshot(`
      [
        "postgres 0001_rows 47dde588a37613d9",
        "postgres 0003_idempotency 8f1e1614b249458c",
        "postgres 0004_quota 196d9a70a237614d",
        "postgres 0005_jobs ce2db5387d520405",
        "postgres 0006_job_outcomes 125c5ca4c886bc7d",
        "postgres 0007_rows 4f71784b778dffc5",
        "pglite 0001_rows 47dde588a37613d9",
        "pglite 0003_idempotency 8f1e1614b249458c",
        "pglite 0004_quota 196d9a70a237614d",
        "pglite 0005_jobs ce2db5387d520405",
        "pglite 0006_job_outcomes 125c5ca4c886bc7d",
        "pglite 0007_rows 4f71784b778dffc5",
        "mysql 0001_rows c55a53eb0f0b2401",
        "mysql 0002_commit a46cd77c962abde7",
        "mysql 0003_idempotency b95e9beb7487cfbf",
        "mysql 0004_quota abdfa52f089b8af1",
        "mysql 0007_rows 86314900e8268455",
        "sqlite 0003_idempotency 064e6ba8e7c11d09",
        "sqlite 0004_quota 591b94d1aea7d1f6",
        "sqlite 0005_jobs 5ccb1a18f5e9cd58",
        "sqlite 0006_job_outcomes 0b3d275aa98b775a",
      ]
    `)
  })
})
