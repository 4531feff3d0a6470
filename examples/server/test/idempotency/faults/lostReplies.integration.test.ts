import type { BatchOptions, IdempotencyStore } from "@multistatus/core"
import { checkRedis, redisClient, redisIdempotencyStore } from "@multistatus/store-redis"
import { migrate, openDatabase, sqlIdempotencyStore } from "@multistatus/store-sql"
import { freshDatabase, type Proxy, startProxy } from "@multistatus/test-services"
import type { Kysely } from "kysely"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import { frameworks } from "../../batch/ServerProcess.ts"
import { createTable, type EffectApp, type Effects, namesIn, startEffectApp } from "./effectApp.ts"
import { add, addUntilDone, interruptible } from "./moments.ts"

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

const cases = frameworks.flatMap((framework) => Object.keys(stores).map((name) => ({ framework, name })))

describe.each(cases)("a connection to $name that breaks, on $framework", ({ framework, name }) => {
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

  const names = (what: string) => Array.from({ length: 5 }, (_, index) => `${what} ${index}`)
  const effects = async (what: string) => (await namesIn(behind.db)).filter((each) => each.startsWith(`${what} `))

  it.each(["request", "reply"] as const)(
    "with the %s of a claim: nothing has run, or all of it once, and the client is not in its own way",
    async (what) => {
      const batch = names(`claim ${what}`)
      let cut: Promise<void> | undefined
      at("acquire", () => void (cut = behind.proxy.cutNext(what)))
      const { status, headers } = await add(app.origin, batch)
      await cut
      expect([200, 503]).toContain(status)
      expect(await effects(`claim ${what}`)).toEqual(status === 200 ? batch : [])
      if (status === 503) expect(headers.get("retry-after")).toBe("1")
      // Far less than a lease.
      await addUntilDone(app.origin, batch, {}, 3000)
      expect(await effects(`claim ${what}`)).toEqual(batch)
    },
  )

  it.each(["request", "reply"] as const)("with the %s of a settlement: nothing runs twice", async (what) => {
    for (const members of [{}, { atomic: true }]) {
      const mark = `settle ${what} ${JSON.stringify(members)}`
      const batch = names(mark)
      let cut: Promise<void> | undefined
      at("settle", () => void (cut = behind.proxy.cutNext(what)))
      const first = await add(app.origin, batch, members)
      await cut
      expect({ status: first.status, there: await effects(mark) }).toEqual(
        first.status === 200 ? { status: 200, there: batch } : { status: expect.any(Number), there: [] },
      )
      // What was not recorded is recorded later; until then it is in progress.
      const again = await addUntilDone(app.origin, batch, members)
      if (first.status === 200) expect(again.body).toMatchObject({ replayed: batch.length })
      expect(again.headers.get("idempotency-status")).toBe(null)
      expect(await effects(mark)).toEqual(batch)
    }
  })
})
