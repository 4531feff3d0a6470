import { setTimeout as delay } from "node:timers/promises"

import type { Acquired, Settled } from "@multistatus/core/store"
import { freshDatabase } from "@multistatus/test-services"
import { type Kysely, sql } from "kysely"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import { openDatabase } from "../../src/database/openDatabase.ts"
import { OutsideTransactionError } from "../../src/transactions/OutsideTransactionError.ts"
import { sqlIdempotencyStore } from "../../src/idempotency/sqlIdempotencyStore.ts"
import { sqlUnitOfWork } from "../../src/transactions/sqlUnitOfWork.ts"
import { type Claims, makeOwner, openClaims } from "../support/claims.ts"

const fingerprint = "f".repeat(43)
const ttls = { pendingTtlMs: 60_000, resultTtlMs: 60_000 }
const long = { ...ttls, leaseMs: 30_000 }
const limits = { remainingMs: 20_000, signal: new AbortController().signal }

let made = 0
const newKey = () => `key-${++made}`.padEnd(43, "k")
const asItem = (key: string) => ({ key, fingerprint, mode: "retry" as const })
const completing = (key: string, result: string) => ({
  key,
  fingerprint,
  action: { _tag: "complete", result } as const,
})

interface Gate {
  readonly opened: Promise<void>
  readonly open: () => void
}
const newGate = (): Gate => {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

/** What is done twice if two owners commit. */
const prepareEffects = async (db: Kysely<unknown>) => {
  await sql`create table effects (key_hash varchar(64), owner varchar(64))`.execute(db)
}
const act = (handle: unknown, key: string, owner: string) =>
  sql`insert into effects values (${key}, ${owner})`.execute(handle as Kysely<unknown>)
const effectsOf = async (db: Kysely<unknown>, key: string) =>
  (await sql<{ readonly owner: string }>`select owner from effects where key_hash = ${key}`.execute(db)).rows.map(
    ({ owner }) => owner,
  )

const servers: ReadonlyArray<readonly [name: string, url: () => Promise<string>]> = [
  ["PostgreSQL", () => freshDatabase(inject("postgresUrl"))],
  ["MariaDB", () => freshDatabase(inject("mariadbUrl"))],
]

describe.each(servers)("transactions on %s", (_, url) => {
  let claims: Claims
  beforeAll(async () => {
    claims = await openClaims(await url())
    await prepareEffects(claims.db)
  })
  afterAll(() => claims.close())

  /** Claims, acts and settles in one transaction, and waits where it is told to. */
  const execute = async (key: string, owner: string, leaseMs: number, waits: { settle?: Gate; commit?: Gate } = {}) => {
    const { db, store } = claims
    const times = { ...ttls, owner, leaseMs }
    const [acquired] = await store.acquire([asItem(key)], times)
    const settled: Array<Settled> = []
    const outcome = sqlUnitOfWork(db).run(async ({ handle }) => {
      await act(handle, key, owner)
      await waits.settle?.opened
      settled.push(...(await store.settleIn(handle, [completing(key, owner)], times)))
      await waits.commit?.opened
      return settled.includes("refused") ? "rollback" : "commit"
    }, limits)
    return { acquired, settled, outcome }
  }

  it("of an owner that was paused past its lease cannot commit after a takeover", async () => {
    const { db, other } = claims
    const [key, zombie, successor] = [newKey(), makeOwner(), makeOwner()]
    const pause = newGate()
    const paused = await execute(key, zombie, 150, { settle: pause })
    expect(paused.acquired).toEqual({ _tag: "fresh", fence: 1 })
    expect(await other.acquire([asItem(key)], { ...long, owner: successor })).toMatchObject([{ _tag: "in-progress" }])
    await delay(200)
    const next = await execute(key, successor, 30_000)
    expect(next.acquired).toEqual({ _tag: "taken-over", fence: 2, journal: "" })
    expect(await next.outcome).toBe("committed")
    pause.open()
    expect(await paused.outcome).toBe("rolled-back")
    expect(paused.settled).toEqual(["refused"])
    expect(await effectsOf(db, key)).toEqual([successor])
    expect(await other.acquire([asItem(key)], { ...long, owner: makeOwner() })).toEqual([
      { _tag: "replay", result: successor },
    ])
  })

  it("that have settled keep their keys until they end, without blocking others", async () => {
    const { db, other } = claims
    const [key, zombie] = [newKey(), makeOwner()]
    const pause = newGate()
    const paused = await execute(key, zombie, 150, { commit: pause })
    await delay(300)
    expect(paused.settled).toEqual(["applied"])
    const askedAt = performance.now()
    const [busy] = await other.acquire([asItem(key), asItem(newKey())], { ...long, owner: makeOwner() })
    expect(busy).toMatchObject({ _tag: "in-progress" })
    expect(performance.now() - askedAt).toBeLessThan(5_000)
    pause.open()
    expect(await paused.outcome).toBe("committed")
    expect(await effectsOf(db, key)).toEqual([zombie])
    expect(await other.acquire([asItem(key)], { ...long, owner: makeOwner() })).toEqual([
      { _tag: "replay", result: zombie },
    ])
  })

  it("whose claim is taken over by an uncommitted transaction wait for it, and are refused", async () => {
    const { db, store } = claims
    const [key, zombie, successor] = [newKey(), makeOwner(), makeOwner()]
    await store.acquire([asItem(key)], { ...long, owner: zombie })
    const until = newGate()
    const taking = db.transaction().execute(async (transaction) => {
      await sql`update multistatus_idempotency set owner = ${successor}, fence = 2 where key_hash = ${key}`.execute(
        transaction,
      )
      await until.opened
    })
    await delay(100)
    const late = store.settle([completing(key, "late")], { ...long, owner: zombie })
    await delay(100)
    until.open()
    await taking
    expect(await late).toEqual(["refused"])
    expect(await store.settle([completing(key, "in time")], { ...long, owner: successor })).toEqual(["applied"])
  })
})

describe("transactions on PostgreSQL", () => {
  it("do not block owners that have lost their claims", async () => {
    const claims = await openClaims(await freshDatabase(inject("postgresUrl")))
    const { db, store, other } = claims
    const [key, zombie, successor] = [newKey(), makeOwner(), makeOwner()]
    await store.acquire([asItem(key)], { ...long, owner: zombie, now: 0 })
    await store.acquire([asItem(key)], { ...long, owner: successor, now: 40_000 })
    await db.transaction().execute(async (transaction) => {
      await store.settleIn(transaction, [completing(key, "held")], { ...long, owner: successor, now: 40_001 })
      const late = { ...long, owner: zombie, now: 40_001 }
      expect(await other.settle([completing(key, "late")], late)).toEqual(["refused"])
    })
    await claims.close()
  })
})

describe.each(servers)("claims on %s", (_, url) => {
  it("have their own connections, so that busy transactions do not starve heartbeats", async () => {
    const address = await url()
    const prepared = await openClaims(address)
    const main = await openDatabase<unknown>(address, { maxConnections: 2 })
    const apart = await openDatabase<unknown>(address, { maxConnections: 1 })
    const times = { ...long, owner: makeOwner() }
    const key = newKey()
    await prepared.store.acquire([asItem(key)], times)
    const until = newGate()
    const busy = [1, 2].map(() => main.db.transaction().execute(() => until.opened))
    await delay(50)
    const extend = [{ key, fingerprint, action: { _tag: "extend" } as const }]
    let starved: ReadonlyArray<Settled> | undefined
    const starving = sqlIdempotencyStore(main.db)
      .settle(extend, times)
      .then((settled) => (starved = settled))
    expect(await sqlIdempotencyStore(main.db, { claims: apart.db }).settle(extend, times)).toEqual(["applied"])
    expect(starved).toBeUndefined()
    until.open()
    await Promise.all(busy)
    expect(await starving).toEqual(["applied"])
    for (const { close } of [prepared, main, apart]) await close()
  })
})

describe.each([
  ["SQLite", "sqlite::memory:"],
  ["PGlite", "pglite::memory:"],
])("one connection on %s", (_, url) => {
  let claims: Claims
  beforeAll(async () => {
    claims = await openClaims(url)
  })
  afterAll(() => claims.close())

  it("declares that claims wait for an open transaction", async () => {
    const { db, store } = claims
    expect(store.capabilities.claimsInTransactions).toBe(false)
    const until = newGate()
    const busy = db.transaction().execute(() => until.opened)
    let acquired: ReadonlyArray<Acquired> | undefined
    const acquiring = store.acquire([asItem(newKey())], { ...long, owner: makeOwner() }).then((all) => (acquired = all))
    await delay(50)
    expect(acquired).toBeUndefined()
    until.open()
    await busy
    expect(await acquiring).toEqual([{ _tag: "fresh", fence: 1 }])
  })

  it("refuses to settle outside of the transaction that it is called in", async () => {
    const { db, store } = claims
    const [key, times] = [newKey(), { ...long, owner: makeOwner() }]
    await store.acquire([asItem(key)], times)
    const outcome = await sqlUnitOfWork(db).run(async ({ handle, enter }) => {
      await enter(() => expect(store.settle([completing(key, "{}")], times)).rejects.toThrow(OutsideTransactionError))
      expect(await store.settleIn(handle, [completing(key, "{}")], times)).toEqual(["applied"])
      return "commit"
    }, limits)
    expect(outcome).toBe("committed")
    expect(await store.peek(key)).toMatchObject({ state: "done" })
  })

  it("does not take the database itself for a transaction", async () => {
    const { db, store } = claims
    const settling = store.settleIn(db, [completing(newKey(), "{}")], { ...long, owner: makeOwner() })
    await expect(settling).rejects.toThrow("settled in a transaction")
  })
})
