import type { BatchOptions } from "@multistatus/core"
import type { IdempotencyStore } from "@multistatus/core/store"
import { checkRedis, redisClient, redisIdempotencyStore } from "@multistatus/store-redis"
import { migrate, openDatabase, sqlIdempotencyStore } from "@multistatus/store-sql"
import { freshDatabase, type Proxy, startProxy } from "@multistatus/test-services"
import type { Kysely } from "kysely"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import { takingTurns } from "../../batch/ServerProcess.ts"
import { createTable, type EffectApp, type Effects, namesIn, startEffectApp } from "./effectApp.ts"
import { add, addUntilDone, interruptible, type Moment } from "./moments.ts"

/** A store behind a proxy, and the database that effects go to. */
interface Behind {
  readonly proxy: Proxy
  readonly db: Kysely<Effects>
  readonly store: IdempotencyStore
  readonly options?: Partial<NonNullable<BatchOptions["idempotency"]>>
  readonly close: () => Promise<void>
}

const openPrepared = async (url: string, maxConnections?: number) => {
  const database = await openDatabase<Effects>(url, { maxConnections })
  await migrate(database.db, database.dialect)
  return database
}

const stores: Readonly<Record<string, () => Promise<Behind>>> = {
  Redis: async () => {
    const proxy = await startProxy(await freshDatabase(inject("redisUrl")))
    const client = redisClient(proxy.url)
    client.on("error", () => {})
    await checkRedis(client)
    const { db, close } = await openPrepared(await freshDatabase(inject("postgresUrl")))
    const disconnect = async () => (client.disconnect(), close())
    return { proxy, db, store: redisIdempotencyStore(client), close: disconnect }
  },
  PostgreSQL: async () => {
    const url = await freshDatabase(inject("postgresUrl"))
    const direct = await openPrepared(url)
    const proxy = await startProxy(url)
    const through = await openDatabase<Effects>(proxy.url, { maxConnections: 1 })
    const close = async () => void (await Promise.all([through.close(), direct.close()]))
    const store = sqlIdempotencyStore(through.db)
    return { proxy, db: direct.db, store, options: { sameTransaction: false }, close }
  },
  "PostgreSQL, in the transaction": async () => {
    const proxy = await startProxy(await freshDatabase(inject("postgresUrl")))
    const { db, close } = await openPrepared(proxy.url, 2)
    return { proxy, db, store: sqlIdempotencyStore(db), options: { sameTransaction: true }, close }
  },
  "MariaDB, in the transaction": async () => {
    const proxy = await startProxy(await freshDatabase(inject("mariadbUrl")))
    const { db, close } = await openPrepared(proxy.url, 2)
    return { proxy, db, store: sqlIdempotencyStore(db), options: { sameTransaction: true }, close }
  },
}

/** Starts a server whose connection to the store can be broken. */
const started = ({ framework, name }: ReturnType<typeof takingTurns>[number]) => {
  let behind: Behind
  let app: EffectApp
  let at: ReturnType<typeof interruptible>["at"]
  beforeAll(async () => {
    behind = await stores[name]!()
    await createTable(behind.db)
    const { store, at: when } = interruptible(behind.store)
    at = when
    app = await startEffectApp(framework, { db: behind.db, idempotency: { store, ...behind.options } })
    // Connections are there, and statements known.
    for (const member of [{}, { atomic: true }]) await add(app.origin, [`warm ${JSON.stringify(member)}`], member)
  })
  afterAll(async () => {
    await app?.close()
    await behind?.close()
    await behind?.proxy[Symbol.asyncDispose]()
  })
  return {
    origin: () => app.origin,
    /** Sends a batch whose connection to the store breaks at a moment; afterwards the connection works again. */
    addBreaking: async (moment: Moment, what: "request" | "reply", batch: ReadonlyArray<string>, members = {}) => {
      let cut: Promise<void> | undefined
      at(moment, () => void (cut = behind.proxy.cutNext(what)))
      const reply = await add(app.origin, batch, members)
      await cut
      return reply
    },
    effects: async (mark: string) => (await namesIn(behind.db)).filter((each) => each.startsWith(`${mark} `)),
  }
}

const names = (mark: string) => Array.from({ length: 5 }, (_, index) => `${mark} ${index}`)

describe.each(takingTurns(Object.keys(stores)))("a connection to $name that breaks, on $framework", (given) => {
  const { origin, addBreaking, effects } = started(given)

  it.each(["request", "reply"] as const)(
    "with the %s of a claim: nothing has run, or all of it once, and a retry is not refused",
    async (what) => {
      const mark = `claim ${what}`
      const { status, headers } = await addBreaking("acquire", what, names(mark))
      expect([200, 503]).toContain(status)
      expect(await effects(mark)).toEqual(status === 200 ? names(mark) : [])
      if (status === 503) expect(headers.get("retry-after")).toBe("1")
      // Far less than a lease.
      await addUntilDone(origin(), names(mark), {}, 3000)
      expect(await effects(mark)).toEqual(names(mark))
    },
  )

  it.each(["request", "reply"] as const)("with the %s of a settlement: nothing runs twice", async (what) => {
    for (const members of [{}, { atomic: true }]) {
      const mark = `settle ${what} ${JSON.stringify(members)}`
      const first = await addBreaking("settle", what, names(mark), members)
      expect(await effects(mark)).toEqual(first.status === 200 ? names(mark) : [])
      // Results that were not recorded are recorded later; until then the keys are in progress.
      const again = await addUntilDone(origin(), names(mark), members)
      if (first.status === 200) expect(again.body).toMatchObject({ replayed: 5 })
      expect(again.headers.get("idempotency-status")).toBe(null)
      expect(await effects(mark)).toEqual(names(mark))
    }
  })
})

const transactional = Object.keys(stores).filter((name) => name.endsWith("in the transaction"))

describe.each(takingTurns(transactional))("a connection to $name that breaks, on $framework", (given) => {
  const { origin, addBreaking, effects } = started(given)

  it.each(["request", "reply"] as const)("with the %s of a commit: everything happens once", async (what) => {
    for (const members of [{}, { atomic: true }]) {
      const mark = `commit ${what} ${JSON.stringify(members)}`
      const first = await addBreaking("settled", what, names(mark), members)
      if (first.status === 200) expect(await effects(mark)).toEqual(names(mark))
      const again = await addUntilDone(origin(), names(mark), members)
      if (first.status === 200) expect(again.body).toMatchObject({ replayed: 5 })
      expect(await effects(mark)).toEqual(names(mark))
    }
  })
})
