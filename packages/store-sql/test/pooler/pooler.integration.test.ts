import { type BatchOptions, resource } from "@multistatus/core"
import { UnitOfWorkContract } from "@multistatus/core/testing"
import { createBatch } from "@multistatus/core/adapter"
import { freshDatabase, type Server, startPgbouncer } from "@multistatus/test-services"
import type { Kysely } from "kysely"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import {
  insertMany,
  migrate,
  openDatabase,
  sqlIdempotencyStore,
  sqlQuotaStore,
  sqlUnitOfWork,
} from "../../src/index.ts"
import { requestOf } from "../support/batches.ts"
import { keysIn, keysOf, openKeys, type Tables } from "../support/keys.ts"
import { failures, openPeople, urls } from "../support/people.ts"

let pooler: Server
let pooled: (parameters?: string) => Promise<string>
beforeAll(async () => {
  pooler = await startPgbouncer(inject("postgresUrl"))
  pooled = async (parameters = "") => {
    const { pathname } = new URL(await freshDatabase(inject("postgresUrl")))
    return Object.assign(new URL(pooler.url), { pathname, search: parameters }).toString()
  }
})
afterAll(() => pooler?.stop())

UnitOfWorkContract.suite("PostgreSQL behind PgBouncer", async () => keysOf(await pooled()), { concurrent: true })

describe("PgBouncer in transaction mode", () => {
  it.each(["", "?prepare=false", "?pgbouncer=true"])(
    "serves keyed batches and quotas to a database opened with the parameters '%s'",
    async (parameters) => {
      await using stack = new AsyncDisposableStack()
      const { db, dialect, close } = await openKeys(await pooled(parameters), { maxConnections: 20 })
      stack.defer(close)
      await migrate(db, dialect)
      const keys = resource("keys", {
        add: {
          identified: false,
          runMany: (items, { tx }) =>
            insertMany(
              tx as Kysely<Tables>,
              "keys",
              items.map(({ input }) => ({ name: String(input), touched: 0 })),
            ),
        },
      })
      const unexpected: Array<unknown> = []
      const options: BatchOptions = {
        tenant: () => "a",
        unitOfWork: sqlUnitOfWork(db),
        idempotency: { store: sqlIdempotencyStore(db) },
        quota: { store: sqlQuotaStore(db), operations: 100_000, per: "1 minute" },
        onUnexpected: (error) => void unexpected.push(error),
      }
      const batch = createBatch(options)
      stack.defer(() => batch.close())
      const endpoint = batch.operations(keys)
      const names = Array.from({ length: 40 }, (_, index) => [`${index}-a`, `${index}-b`])
      const send = (data: ReadonlyArray<string>) => {
        const operations = data.map((name) => ({ action: "add", data: name, idempotency_key: `key-${name}` }))
        return endpoint.handle(requestOf(JSON.stringify({ operations })))
      }
      for (const replayed of [undefined, 2]) {
        const answers = await Promise.all(names.map(send))
        expect(answers.map(({ status }) => status)).toEqual(names.map(() => 200))
        expect(answers.map(({ body }) => (JSON.parse(body) as { replayed?: number }).replayed)).toEqual(
          names.map(() => replayed),
        )
      }
      expect(unexpected).toEqual([])
      expect(await keysIn(db)).toHaveLength(80)
    },
  )

  it("serves statements on many rows, with failing rows", async () => {
    await using stack = new AsyncDisposableStack()
    const postgres = urls.find(([dialect]) => dialect === "postgres")!
    const people = await openPeople([postgres[0], () => pooled()], 10)
    stack.defer(people.close)
    const calls = Array.from({ length: 20 }, (_, call) =>
      Array.from({ length: 40 }, (_, index) => ({ id: `${call}-${index}`, email: `${call}-${index % 39}@x` })),
    )
    const outcomes = await Promise.all(
      calls.map((rows) => insertMany(people.db, "people", rows, { returning: ["id"] })),
    )
    expect(outcomes.map((rows) => failures(rows).length)).toEqual(calls.map(() => 1))
  })

  it("prepares statements by name only for a direct connection or if it is told to", async () => {
    const prepared = async (url: string, prepare?: boolean) => {
      const { db, dialect, close } = await openDatabase<{ readonly t: { readonly id: number } }>(url, {
        maxConnections: 1,
        ...(prepare !== undefined && { prepare }),
      })
      await migrate(db, dialect)
      await db.schema.createTable("t").addColumn("id", "integer").ifNotExists().execute()
      await insertMany(db, "t", [{ id: 1 }])
      const names = db.selectFrom("pg_prepared_statements" as never).select("name" as never)
      const found = await names.where("name" as never, "like", "multistatus_%" as never).execute()
      await close()
      return found.length
    }
    const direct = () => freshDatabase(inject("postgresUrl"))
    expect({
      direct: await prepared(await direct()),
      "direct, option": await prepared(await direct(), false),
      "direct, URL": await prepared(`${await direct()}?prepare=false`),
      pooled: await prepared(await pooled()),
      "pooled, option": await prepared(await pooled(), true),
      "pooled, URL": await prepared(await pooled("?prepare=true")),
    }).toEqual({ direct: 1, "direct, option": 0, "direct, URL": 0, pooled: 0, "pooled, option": 1, "pooled, URL": 1 })
    await expect(openDatabase(`${await direct()}?prepare=no`)).rejects.toThrow(
      '"prepare" of a database URL must be true',
    )
  })
})
