import { setTimeout as delay } from "node:timers/promises"

import type { AcquireItem, SettleItem } from "@multistatus/core/store"
import { IdempotencyStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { CamelCasePlugin, Kysely, MysqlDialect, PostgresDialect, sql, SqliteDialect } from "kysely"
import { createPool } from "mysql2"
import { Pool } from "pg"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import { migrate } from "../../src/migrations/migrate.ts"
import { mysqlIdempotencyTexts } from "../../src/idempotency/mysql.ts"
import { openNodeSqlite } from "../../src/database/NodeSqlite.ts"
import { postgresIdempotency, postgresIdempotencyTexts } from "../../src/idempotency/postgres.ts"
import { openSession, type Session } from "../../src/database/Session.ts"
import { sqliteIdempotencyTexts } from "../../src/idempotency/sqlite.ts"
import {
  idempotencyStoreOn,
  sqlIdempotencyStore,
  type SqlIdempotencyStore,
} from "../../src/idempotency/sqlIdempotencyStore.ts"
import { stepwiseIdempotency } from "../../src/idempotency/stepwise.ts"
import { type Claims, makeOwner, openClaims } from "../support/claims.ts"

let made = 0
const newItems = (size: number): ReadonlyArray<AcquireItem> =>
  Array.from({ length: size }, () => ({
    key: `key-${++made}`.padEnd(43, "k"),
    fingerprint: "f".repeat(43),
    mode: "retry",
  }))
const completed = (items: ReadonlyArray<AcquireItem>): ReadonlyArray<SettleItem> =>
  items.map(({ key, fingerprint }) => ({ key, fingerprint, action: { _tag: "complete", result: '{"status":201}' } }))
const newTimes = () => ({ owner: makeOwner(), leaseMs: 30_000, pendingTtlMs: 60_000, resultTtlMs: 60_000 })

const databases = [
  {
    name: "PostgreSQL",
    url: () => freshDatabase(inject("postgresUrl")),
    dialect: (url: string) => new PostgresDialect({ pool: new Pool({ connectionString: url }) }),
    replay: 1,
  },
  {
    name: "MariaDB",
    url: () => freshDatabase(inject("mariadbUrl")),
    dialect: (url: string) => new MysqlDialect({ pool: createPool({ uri: url.replace("mariadb:", "mysql:") }) }),
    replay: 1,
  },
  {
    name: "SQLite",
    url: async () => "sqlite::memory:",
    dialect: () => new SqliteDialect({ database: openNodeSqlite(":memory:") }),
    replay: 2,
  },
]

describe.each(databases)("statements on $name", ({ url, dialect, replay }) => {
  let db: Kysely<unknown>
  let store: SqlIdempotencyStore
  let sent = 0
  const count = async <A>(work: Promise<A>): Promise<readonly [answer: A, statements: number]> => {
    sent = 0
    return [await work, sent]
  }
  beforeAll(async () => {
    const address = await url()
    db = new Kysely<unknown>({
      dialect: dialect(address),
      log: ({ level }) => void (sent += level === "query" ? 1 : 0),
    })
    const session = openSession(db)
    await migrate(db, session.dialect)
    store = sqlIdempotencyStore(db, { purge: false })
    // The first call may ask which server it is.
    await store.acquire(newItems(1), newTimes())
  })
  afterAll(() => db.destroy())

  it.each([1, 10, 1_000])("are one for each call, of %i keys", async (size) => {
    const [items, times] = [newItems(size), newTimes()]
    const [acquired, acquiring] = await count(store.acquire(items, times))
    expect(new Set(acquired.map(({ _tag }) => _tag))).toEqual(new Set(["fresh"]))
    const [settled, settling] = await count(store.settle(completed(items), times))
    expect(new Set(settled)).toEqual(new Set(["applied"]))
    const [replayed, replaying] = await count(store.acquire(items, newTimes()))
    expect(new Set(replayed.map(({ _tag }) => _tag))).toEqual(new Set(["replay"]))
    expect({ acquiring, settling, replaying }).toEqual({ acquiring: 1, settling: 1, replaying: replay })
  })

  it.each([1, 10, 1_000])("are one for settling %i keys in a transaction", async (size) => {
    const [items, times] = [newItems(size), newTimes()]
    await store.acquire(items, times)
    const settling = await db.transaction().execute(async (transaction) => {
      const [settled, statements] = await count(store.settleIn(transaction, completed(items), times))
      expect(new Set(settled)).toEqual(new Set(["applied"]))
      return statements
    })
    expect(settling).toBe(1)
  })

  it("are none for no keys", async () => {
    expect(await count(store.acquire([], newTimes()))).toEqual([[], 0])
    expect(await count(store.settle([], newTimes()))).toEqual([[], 0])
  })

  it("stay within the number that the capabilities declare", async () => {
    const { acquire, settle } = store.capabilities.statements
    const [items, times] = [newItems(6), newTimes()]
    await store.acquire(items, times)
    const [, mixed] = await count(store.acquire([...items.slice(0, 3), ...newItems(3)], newTimes()))
    expect(mixed).toBeLessThanOrEqual(acquire.most)
    const append = (item: AcquireItem): SettleItem => ({ ...item, action: { _tag: "append", at: 0, chunk: "a" } })
    await store.settle(items.slice(0, 2).map(append), times)
    const all = [...items.slice(0, 2).map(append), ...completed([...items.slice(2), ...newItems(2)])]
    const [settled, statements] = await count(store.settle(all, times))
    expect(settled.join(" ")).toBe("already already applied applied applied applied recreated recreated")
    expect(statements).toBeLessThanOrEqual(settle.most)
  })
})

describe("statements on PostgreSQL", () => {
  let claims: Claims
  beforeAll(async () => {
    claims = await openClaims(await freshDatabase(inject("postgresUrl")))
  })
  afterAll(() => claims.close())

  it("are two at most when rivals interfere", async () => {
    let sent = 0
    const session = openSession(claims.db)
    const counting: Session = { ...session, query: async (...given) => (sent++, session.query(...given)) }
    const store = idempotencyStoreOn(counting, postgresIdempotency(postgresIdempotencyTexts))
    const [items, times] = [newItems(3), newTimes()]
    await store.acquire(items, { ...times, now: 0 })
    await claims.db.transaction().execute(async (transaction) => {
      await sql`select from multistatus_idempotency where key_hash = ${items[1]!.key} for update`.execute(transaction)
      sent = 0
      const acquired = await store.acquire(items, { ...newTimes(), now: 30_000 })
      expect(acquired.map(({ _tag }) => _tag)).toEqual(["taken-over", "in-progress", "taken-over"])
      expect(sent).toBe(2)
    })
  })

  it("look keys up in the index although they were planned for an empty table", { timeout: 60_000 }, async () => {
    const { db, store } = claims
    // As if it had been analysed long ago, and not again since.
    await sql`truncate multistatus_idempotency`.execute(db)
    await sql`alter table multistatus_idempotency set (autovacuum_enabled = off)`.execute(db)
    await sql`vacuum analyze multistatus_idempotency`.execute(db)
    const use = async (items: ReadonlyArray<AcquireItem>) => {
      const times = newTimes()
      await store.acquire(items, times)
      await store.settle(completed(items), times)
      await store.acquire(items, newTimes())
    }
    for (let round = 0; round < 12; round++) await use(newItems(2))
    await sql`insert into multistatus_idempotency
      select 'old' || i, 'f', 'o', 'done', 1, 0, 9e15::int8, 0, repeat('x', 200) from generate_series(1, 20000) i`.execute(
      db,
    )
    const read = async () => {
      const { rows } = await sql<{ readonly tuples: number }>`
        select (t.seq_tup_read + sum(i.idx_tup_read))::int4 as tuples from pg_stat_user_tables t
        join pg_stat_user_indexes i using (relid) where t.relname = 'multistatus_idempotency' group by t.seq_tup_read
      `.execute(db)
      return rows[0]!.tuples
    }
    const before = await reported(read)
    await use(newItems(500))
    expect((await reported(read)) - before).toBeLessThan(10_000)
  })

  it("compress large results with the fastest method", async () => {
    const { db, store } = claims
    const [items, times] = [newItems(1), newTimes()]
    await store.acquire(items, times)
    const result = JSON.stringify(Array.from({ length: 1000 }, (_, index) => ({ status: 201, index })))
    await store.settle([{ ...items[0]!, action: { _tag: "complete", result } }], times)
    const { rows } = await sql<{ readonly compression: string }>`
      select pg_column_compression(payload) as compression from multistatus_idempotency
      where key_hash = ${items[0]!.key}`.execute(db)
    expect(rows).toEqual([{ compression: "lz4" }])
    expect(await store.acquire(items, newTimes())).toEqual([{ _tag: "replay", result }])
  })

  it("are independent of plugins that change names", async () => {
    const { db } = claims
    const camel = sqlIdempotencyStore(db.withPlugin(new CamelCasePlugin()))
    const [items, times] = [newItems(1), newTimes()]
    expect(await camel.acquire(items, times)).toEqual([{ _tag: "fresh", fence: 1 }])
    expect(await camel.acquire(items, newTimes())).toMatchObject([{ _tag: "in-progress" }])
    const settled = await db
      .withPlugin(new CamelCasePlugin())
      .transaction()
      .execute((transaction) => camel.settleIn(transaction, completed(items), times))
    expect(settled).toEqual(["applied"])
    expect(await camel.peek(items[0]!.key)).toMatchObject({ state: "done" })
  })
})

// Sessions report what they read up to a second later.
const reported = async (read: () => Promise<number>): Promise<number> => {
  await delay(1_500)
  return read()
}

describe.each([
  { name: "SQLite", url: async () => "sqlite::memory:", texts: sqliteIdempotencyTexts },
  { name: "MariaDB", url: () => freshDatabase(inject("mariadbUrl")), texts: mysqlIdempotencyTexts },
])("steps on $name", ({ url, texts }) => {
  let claims: Claims
  beforeAll(async () => {
    claims = await openClaims(await url())
  })
  afterAll(() => claims.close())

  /** A store to which something happens before a statement is sent. */
  const interrupted = (begins: string, happens: () => Promise<unknown>): SqlIdempotencyStore => {
    const session = openSession(claims.db)
    let happened = false
    const run: Session["run"] = async (text, parameters) => {
      if (text.startsWith(begins) && !happened) {
        happened = true
        await happens()
      }
      return session.run(text, parameters)
    }
    const dialect = stepwiseIdempotency({ texts: () => texts, returning: () => true, isLocked: () => false })
    return idempotencyStoreOn({ ...session, run }, dialect)
  }

  it("do not take a key from a rival that claims it before a vanished record is recreated", async () => {
    const [items, zombie, rival] = [newItems(1), newTimes(), newTimes()]
    const store = interrupted("insert", () => claims.store.acquire(items, rival))
    expect(await store.settle(completed(items), zombie)).toEqual(["refused"])
    expect(await claims.store.settle(completed(items), rival)).toEqual(["applied"])
  })

  it("do not remove an expired key that was claimed again", async () => {
    const [items, first, rival] = [newItems(2), newTimes(), newTimes()]
    await claims.store.purge(1_000_000, 1e15)
    await claims.store.acquire(items, { ...first, now: 0 })
    const store = interrupted("delete", () => claims.store.acquire(items.slice(1), { ...rival, now: 60_000 }))
    expect(await store.purge(10, 60_000)).toBe(1)
    expect(await claims.store.peek(items[1]!.key, 60_000)).toMatchObject({ state: "pending" })
  })
})

IdempotencyStoreContract.suite(
  "MySQL's statements, on MariaDB",
  async () =>
    openClaims(await freshDatabase(inject("mariadbUrl")), (db) =>
      idempotencyStoreOn(
        openSession(db),
        stepwiseIdempotency({ texts: () => mysqlIdempotencyTexts, returning: () => false, isLocked: () => false }),
      ),
    ),
  { capabilities: { transactional: true }, commands: 2_000, shrinks: false },
)
