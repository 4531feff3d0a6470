import { randomBytes } from "node:crypto"

import { migrate, openDatabase, sqlIdempotencyStore, sqlQuotaStore } from "@multistatus/store-sql"
import { sql } from "kysely"
import { describe, expect, it, onTestFinished, vi } from "vitest"

import { urls } from "../support/people.ts"

const patience = { timeout: 20_000, interval: 50 }
const expired = 3000

describe.each(urls)("expired rows (%s)", (dialect, makeUrl) => {
  const open = async () => {
    const { db, close } = await openDatabase<unknown>(await makeUrl())
    onTestFinished(close)
    await migrate(db, dialect)
    const count = async (table: string) => {
      const { rows } = await sql<{ readonly n: unknown }>`select count(*) as n from ${sql.table(table)}`.execute(db)
      return Number(rows[0]?.n)
    }
    return { db, count }
  }
  const newKeys = (count: number) =>
    Array.from({ length: count }, () => ({
      key: randomBytes(32).toString("base64url"),
      fingerprint: "f".repeat(43),
      mode: "retry" as const,
    }))
  const times = { owner: "o".repeat(22), leaseMs: 60_000, pendingTtlMs: 60_000, resultTtlMs: 60_000 }

  it("of idempotency keys are removed while the store is used, however many there are", async () => {
    const { db, count } = await open()
    const idle = sqlIdempotencyStore(db, { purge: false })
    const long = Date.now() - 3_600_000
    for (let made = 0; made < expired; made += 1000) await idle.acquire(newKeys(1000), { ...times, now: long })
    expect(await idle.purgeLag()).toBeGreaterThan(3_400_000)
    await idle.acquire(newKeys(1000), times)
    expect(await count("multistatus_idempotency")).toBe(expired + 1000)
    await sqlIdempotencyStore(db).acquire(newKeys(1000), times)
    await vi.waitFor(async () => expect(await count("multistatus_idempotency")).toBe(2000), patience)
    expect(await idle.purgeLag()).toBe(0)
  })

  it("of quotas are removed while the store is used", async () => {
    const { db, count } = await open()
    const store = sqlQuotaStore(db)
    const charge = (subject: string, now?: number) =>
      store.charge({
        subject: subject.padEnd(43, "s"),
        id: "i".repeat(22),
        minimum: 0,
        demands: [{ policy: "ops", limit: 2000, windowMs: 60_000, base: 1, runs: [] }],
        ...(now !== undefined && { now }),
      })
    for (let subject = 0; subject < 20; subject++) await charge(`old${subject}`, Date.now() - 3_600_000)
    expect(await store.purgeLag()).toBeGreaterThan(3_400_000)
    for (let turn = 0; turn < 1000; turn += 100) await Promise.all(Array.from({ length: 100 }, () => charge("new")))
    await vi.waitFor(async () => expect(await count("multistatus_quota")).toBe(1), patience)
    expect(await store.purgeLag()).toBe(0)
  })
})
