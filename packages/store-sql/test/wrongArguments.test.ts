import { CamelCasePlugin, Kysely, SqliteDialect } from "kysely"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

import {
  deleteMany,
  guardDialect,
  insertMany,
  joinTransactions,
  migrate,
  openDatabase,
  type OpenedDatabase,
  sqlIdempotencyStore,
  sqlQuotaStore,
  sqlUnitOfWork,
  updateMany,
} from "../src/index.ts"
import { openNodeSqlite } from "../src/database/NodeSqlite.ts"

interface Tables {
  readonly people: { readonly id: number; readonly name: string }
}

let database: OpenedDatabase<Tables>
beforeAll(async () => {
  database = await openDatabase<Tables>("sqlite::memory:")
})
afterAll(() => database.close())

describe("an error for a wrong argument says how to fix the call", () => {
  it.each([
    ["joinTransactions", (db: never) => joinTransactions(db)],
    ["sqlUnitOfWork", (db: never) => sqlUnitOfWork(db)],
    ["sqlIdempotencyStore", (db: never) => sqlIdempotencyStore(db)],
    ["sqlQuotaStore", (db: never) => sqlQuotaStore(db)],
    ["insertMany", (db: never) => insertMany(db, "people" as never, [])],
    ["updateMany", (db: never) => updateMany(db, "people" as never, [])],
    ["deleteMany", (db: never) => deleteMany(db, "people" as never, [])],
    ["migrate", (db: never) => migrate(db, "sqlite")],
  ])("of %s without a Kysely database", async (name, call) => {
    const callWith = async (db: unknown) => call(db as never)
    await expect(callWith(undefined)).rejects.toThrow(
      `The first argument of ${name} must be a Kysely database: pass "db"`,
    )
    await expect(callWith(database)).rejects.toThrow("const { db } = await openDatabase(url)")
  })

  it("of the claims of an idempotency store", () => {
    expect(() => sqlIdempotencyStore(database.db, { claims: database as never })).toThrow(
      'The option "claims" of sqlIdempotencyStore must be a Kysely database',
    )
  })

  it("of openDatabase", async () => {
    await expect(openDatabase(undefined as never)).rejects.toThrow(
      /needs a database URL, but got undefined; accepted are sqlite::memory:, .*postgres/,
    )
    await expect(openDatabase("sqlite::memory:", { maxConnections: 0 })).rejects.toThrow(
      '"maxConnections" must be a whole number of at least 1; got 0',
    )
  })

  it("of migrate without a dialect", async () => {
    await expect(migrate(database.db, undefined as never)).rejects.toThrow(
      "The second argument of migrate must be the dialect (postgres, pglite, mysql, sqlite), but is undefined",
    )
  })

  it("of guardDialect", () => {
    expect(() => guardDialect(database.db as never)).toThrow("guardDialect needs a Kysely dialect")
  })

  it("of the options of sqlUnitOfWork", () => {
    expect(() => sqlUnitOfWork(database.db, { attempts: 0 })).toThrow('"attempts" must be a whole number')
    expect(() => sqlUnitOfWork(database.db, { commitTimeout: -1 })).toThrow('"commitTimeout" must be')
  })

  it("of a database whose dialect is not guarded", async () => {
    const dialect = new SqliteDialect({ database: async () => openNodeSqlite(":memory:") })
    const db = new Kysely<Tables>({ dialect })
    expect(() => sqlUnitOfWork(db)).toThrow(
      /is not guarded: .* would not be rolled back\. Wrap its dialect, as in new Kysely\({ dialect: guardDialect\(/,
    )
    expect(() => sqlUnitOfWork(joinTransactions(db))).toThrow("is not guarded")
    expect(() => sqlUnitOfWork(db, { allowUnguarded: true })).not.toThrow()
    const guarded = new Kysely<Tables>({ dialect: guardDialect(dialect) })
    expect(() => sqlUnitOfWork(guarded)).not.toThrow()
    expect(() => sqlUnitOfWork(guarded.withPlugin(new CamelCasePlugin()))).not.toThrow()
    expect(() => sqlUnitOfWork(joinTransactions(guarded))).not.toThrow()
    await Promise.all([db.destroy(), guarded.destroy()])
  })

  it("of rows, changes and keys that are no array", async () => {
    const { db } = database
    await expect(insertMany(db, "people", { id: 1 } as never)).rejects.toThrow("rows of insertMany must be an array")
    await expect(updateMany(db, "people", { key: 1 } as never)).rejects.toThrow(
      "changes of updateMany must be an array",
    )
    await expect(deleteMany(db, "people", 1 as never)).rejects.toThrow("keys of deleteMany must be an array")
  })

  it("of a change without values", async () => {
    const changes = [{ key: 1, set: { name: "Ada" } }, { key: 2, name: "Bob" } as never]
    await expect(updateMany(database.db, "people", changes)).rejects.toThrow(
      'The change at position 1 of updateMany has no "set"',
    )
  })
})
