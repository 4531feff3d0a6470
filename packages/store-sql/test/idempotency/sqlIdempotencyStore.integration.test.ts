import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { memoryIdempotencyStore } from "@multistatus/core"
import { IdempotencyStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { afterAll, inject } from "vitest"

import { openClaims } from "../support/claims.ts"

const directory = mkdtemp(join(tmpdir(), "multistatus-claims-"))
afterAll(async () => rm(await directory, { recursive: true, force: true }))

const options = { capabilities: { transactional: true }, commands: 2_000, shrinks: false }

IdempotencyStoreContract.suite("SQLite in memory", () => openClaims("sqlite::memory:"), {
  ...options,
  commands: 4_000,
})
IdempotencyStoreContract.suite(
  "SQLite in a file",
  async () => openClaims(`sqlite:${join(await directory, "a")}`),
  options,
)
IdempotencyStoreContract.suite("PGlite", () => openClaims("pglite::memory:"), options)
IdempotencyStoreContract.suite(
  "PostgreSQL",
  async () => openClaims(await freshDatabase(inject("postgresUrl"))),
  options,
)
IdempotencyStoreContract.suite("MariaDB", async () => openClaims(await freshDatabase(inject("mariadbUrl"))), options)

IdempotencyStoreContract.differential(
  "PostgreSQL and memory",
  async () => openClaims(await freshDatabase(inject("postgresUrl"))),
  () => ({ store: memoryIdempotencyStore() }),
  { commands: 1_000, shrinks: false },
)
