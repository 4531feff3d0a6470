import { IdempotencyStoreContract, QuotaStoreContract } from "@multistatus/core/testing"
import { freshDatabase, type Server, startPgbouncer } from "@multistatus/test-services"
import { afterAll, beforeAll, inject } from "vitest"

import { sqlQuotaStore } from "../../src/index.ts"
import { openClaims } from "../support/claims.ts"

let pooler: Server
beforeAll(async () => {
  pooler = await startPgbouncer(inject("postgresUrl"))
})
afterAll(() => pooler?.stop())

const pooled = async () => {
  const { pathname } = new URL(await freshDatabase(inject("postgresUrl")))
  return Object.assign(new URL(pooler.url), { pathname }).toString()
}

const options = { capabilities: { transactional: true }, commands: 2_000, shrinks: false }

IdempotencyStoreContract.suite("PostgreSQL behind PgBouncer", async () => openClaims(await pooled()), options)

QuotaStoreContract.suite(
  "PostgreSQL behind PgBouncer",
  async () => {
    const { db, close } = await openClaims(await pooled())
    return { store: sqlQuotaStore(db), other: sqlQuotaStore(db), close }
  },
  { recognises: false, runs: 2_000 },
)
