import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { UnitOfWorkContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { afterAll, inject } from "vitest"

import { keysOf } from "../support/keys.ts"

const directory = mkdtemp(join(tmpdir(), "multistatus-unit-of-work-"))
afterAll(async () => rm(await directory, { recursive: true, force: true }))

const one = { concurrent: false }
const many = { concurrent: true }

UnitOfWorkContract.suite("SQLite in memory", () => keysOf("sqlite::memory:"), one)
UnitOfWorkContract.suite("SQLite in a file", async () => keysOf(`sqlite:${join(await directory, "keys")}`), one)
UnitOfWorkContract.suite("PGlite", () => keysOf("pglite::memory:"), one)
UnitOfWorkContract.suite("PostgreSQL", async () => keysOf(await freshDatabase(inject("postgresUrl"))), many)
UnitOfWorkContract.suite("MariaDB", async () => keysOf(await freshDatabase(inject("mariadbUrl"))), many)
