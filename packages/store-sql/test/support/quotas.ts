/** Stores of quotas on real databases, and mistakes that somebody could make in the routine that charges them. */
import { QuotaStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { expect, inject } from "vitest"

import { openDatabase } from "../../src/database/openDatabase.ts"
import { openSession } from "../../src/database/Session.ts"
import { migrate } from "../../src/migrations/migrate.ts"
import { postgresQuota } from "../../src/quota/postgres.ts"
import { chargeRoutine, postgresQuotaRoutines } from "../../src/quota/postgresRoutines.ts"
import { quotaStoreOn, sqlQuotaStore } from "../../src/quota/sqlQuotaStore.ts"

/** Opens a database, prepares it, and opens it once more for a second client unless it is in memory. */
export const openQuotas = async (url: string) => {
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

/** Changes the routine so that it is wrong. */
export type Mutant = (routine: string) => string

/** Mistakes in the routine of PostgreSQL, by what is wrong. */
export const mutants: Readonly<Record<string, Mutant>> = {
  "no lock": (text) => text.replace("where q.subject = in_subject for update", "where q.subject = in_subject"),
  "no base cost": (text) => text.replace("room := available + epsilon - bas", "room := available + epsilon"),
  "each policy by itself": (text) => text.replace("most := least(most, fitting)", "most := fitting"),
  "a denied charge": (text) => text.replace("if granted then\n      arrival", "if true then\n      arrival"),
  "no minimum": (text) => text.replace("most >= in_minimum and ", ""),
  "one operation more": (text) => text.replace("floor(room / ", "ceil(room / "),
}

/** Expects that the contract, or rivals at the same time, find the mistake. */
export const expectFound = async (mutant: Mutant): Promise<void> => {
  const { db, close } = await openQuotas(await freshDatabase(inject("postgresUrl")))
  const session = openSession(db)
  const [routine] = postgresQuotaRoutines
  const changed = mutant(routine!)
  expect(changed).not.toBe(routine)
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
}
