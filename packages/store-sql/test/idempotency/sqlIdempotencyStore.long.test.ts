import { IdempotencyStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { expect, inject, it } from "vitest"

import { openClaims } from "../support/claims.ts"

const databases: Readonly<Record<string, () => string | Promise<string>>> = {
  SQLite: () => "sqlite::memory:",
  PGlite: () => "pglite::memory:",
  PostgreSQL: () => freshDatabase(inject("postgresUrl")),
  MariaDB: () => freshDatabase(inject("mariadbUrl")),
}

it.each(Object.entries(databases))("answers twenty thousand random commands as the model does (%s)", async (_, url) => {
  const claims = await openClaims(await url())
  const counts = await IdempotencyStoreContract.check(claims, { commands: 20_000 })
  for (const outcome of IdempotencyStoreContract.outcomes) expect(counts.get(outcome)).toBeGreaterThan(20)
  await claims.close()
})
