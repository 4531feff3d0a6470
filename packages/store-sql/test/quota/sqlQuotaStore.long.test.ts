import { QuotaStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { inject, it } from "vitest"

import { expectFound, mutants, openQuotas } from "../support/quotas.ts"

const databases: Readonly<Record<string, () => string | Promise<string>>> = {
  SQLite: () => "sqlite::memory:",
  PGlite: () => "pglite::memory:",
  PostgreSQL: () => freshDatabase(inject("postgresUrl")),
  MariaDB: () => freshDatabase(inject("mariadbUrl")),
}

QuotaStoreContract.suite("PGlite", () => openQuotas("pglite::memory:"), { recognises: false })

it.each(Object.entries(databases))("answers two thousand random histories as the model does (%s)", async (_, url) => {
  const { store, close } = await openQuotas(await url())
  await QuotaStoreContract.check(store, { runs: 2_000 })
  await close()
})

it.each(Object.entries(mutants))("a mistake in the routine of PostgreSQL is found: %s", async (_, mutant) => {
  await expectFound(mutant)
})
