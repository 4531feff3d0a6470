/** Stores that answer, but do not do what they are asked for. */
import type { BatchOptions } from "@multistatus/core"
import type { IdempotencyStore } from "@multistatus/core/store"
import { checkRedis, redisClient, redisIdempotencyStore } from "@multistatus/store-redis"
import { migrate, openDatabase, sqlIdempotencyStore } from "@multistatus/store-sql"
import { freshDatabase, startRedis } from "@multistatus/test-services"
import type { Kysely } from "kysely"
import { Client } from "pg"
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest"

import { takingTurns } from "../../batch/ServerProcess.ts"
import { createTable, type EffectApp, type Effects, namesIn, startEffectApp } from "./effectApp.ts"
import { add, addUntilDone, interruptible } from "./moments.ts"

/** A fault of a store: how it begins and ends. */
interface Trouble {
  readonly begin: () => Promise<unknown>
  readonly end: () => Promise<unknown>
  /** Whether the store works all the same; `perhaps` if it may notice too late. */
  readonly harmless?: boolean | "perhaps"
}

interface Troubled {
  readonly db: Kysely<Effects>
  readonly store: IdempotencyStore
  readonly options?: Partial<NonNullable<BatchOptions["idempotency"]>> | undefined
  readonly troubles: Readonly<Record<string, Trouble>>
  readonly close: () => Promise<void>
}

const nothing = async () => {}

const openRedis = async (): Promise<Troubled> => {
  const server = await startRedis()
  const [client, admin] = [redisClient(server.url), redisClient(server.url)]
  for (const each of [client, admin]) each.on("error", () => {})
  await Promise.all([checkRedis(client), checkRedis(admin)])
  const { db, close } = await openDatabase<Effects>(await freshDatabase(inject("postgresUrl")))
  return {
    db,
    store: redisIdempotencyStore(client),
    troubles: {
      "is full": {
        begin: () => admin.config("SET", "maxmemory", "1"),
        end: () => admin.config("SET", "maxmemory", "0"),
      },
      "has become a replica": {
        begin: () => admin.replicaof("127.0.0.1", 1),
        end: () => admin.replicaof("NO", "ONE"),
      },
      "is busy with a script": {
        begin: async () => {
          await admin.config("SET", "busy-reply-threshold", "10")
          const other = redisClient(server.url, { commandTimeout: 60_000 })
          other.on("error", () => {})
          await checkRedis(other)
          void other.eval("while true do end", 0).catch(() => other.disconnect())
          await expect.poll(() => admin.ping().catch(String)).toContain("BUSY")
        },
        end: () => admin.script("KILL"),
      },
      "has forgotten its scripts": { begin: () => admin.script("FLUSH"), end: nothing, harmless: true },
      "has forgotten everything": { begin: () => admin.flushall(), end: nothing, harmless: true },
    },
    close: async () => {
      for (const each of [client, admin]) each.disconnect()
      await close()
      await server.stop()
    },
  }
}

const openPostgres = async (options: Troubled["options"]): Promise<Troubled> => {
  const url = await freshDatabase(inject("postgresUrl"))
  const name = new URL(url).pathname.slice(1)
  const keys = await openDatabase<Effects>(url, { maxConnections: 2 })
  await migrate(keys.db, keys.dialect)
  const elsewhere =
    options?.sameTransaction === false ? await openDatabase<Effects>(await freshDatabase(inject("postgresUrl"))) : keys
  const admin = new Client({ connectionString: url })
  await admin.connect()
  const endOthers = () =>
    admin.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()",
      [name],
    )
  const failing = (code: string) => ({
    begin: async () => {
      await admin.query(`
        create function fail() returns trigger language plpgsql as
        $$ begin raise exception 'This fails' using errcode = '${code}'; end $$`)
      await admin.query(`
        create trigger fail before insert or update on multistatus_idempotency for each statement execute function fail()`)
    },
    end: () => admin.query("drop function fail cascade"),
  })
  let takers: ReadonlyArray<Promise<void>> = []
  let letGo = () => {}
  return {
    db: elsewhere.db,
    store: sqlIdempotencyStore(keys.db),
    options,
    troubles: {
      "cannot serialise anything": failing("40001"),
      "runs into deadlocks": failing("40P01"),
      "has no connection left": {
        begin: async () => {
          const { promise, resolve } = Promise.withResolvers<void>()
          letGo = () => resolve()
          takers = [1, 2].map(() => keys.db.connection().execute(() => promise))
        },
        end: async () => {
          letGo()
          await Promise.all(takers)
        },
      },
      "has every connection ended by its administrator": { begin: endOthers, end: nothing, harmless: "perhaps" },
      "takes no writes": {
        begin: async () => {
          await admin.query(`alter database ${name} set default_transaction_read_only = on`)
          await endOthers()
        },
        end: async () => {
          await admin.query("set default_transaction_read_only = off")
          await admin.query(`alter database ${name} reset default_transaction_read_only`)
          await endOthers()
        },
      },
      "has lost its table": {
        begin: () => admin.query("alter table multistatus_idempotency rename to elsewhere"),
        end: () => admin.query("alter table elsewhere rename to multistatus_idempotency"),
      },
      "has its table locked": {
        begin: async () => {
          await admin.query("begin")
          await admin.query("lock table multistatus_idempotency in access exclusive mode")
        },
        end: () => admin.query("rollback"),
      },
    },
    close: async () => {
      await admin.end()
      if (elsewhere !== keys) await elsewhere.close()
      await keys.close()
    },
  }
}

const stores: Readonly<Record<string, () => Promise<Troubled>>> = {
  Redis: openRedis,
  PostgreSQL: () => openPostgres({ sameTransaction: false }),
  "PostgreSQL, in the transaction": () => openPostgres({ sameTransaction: true }),
}

const troubles: Readonly<Record<string, ReadonlyArray<string>>> = {
  Redis: [
    "is full",
    "has become a replica",
    "is busy with a script",
    "has forgotten its scripts",
    "has forgotten everything",
  ],
  ...Object.fromEntries(
    ["PostgreSQL", "PostgreSQL, in the transaction"].map((name) => [
      name,
      [
        "cannot serialise anything",
        "runs into deadlocks",
        "has no connection left",
        "has every connection ended by its administrator",
        "takes no writes",
        "has lost its table",
        "has its table locked",
      ],
    ]),
  ),
}

describe.concurrent.each(takingTurns(Object.keys(stores)))("keys in $name, on $framework", ({ framework, name }) => {
  let troubled: Troubled
  let app: EffectApp
  let at: ReturnType<typeof interruptible>["at"]

  beforeAll(async () => {
    troubled = await stores[name]!()
    await createTable(troubled.db)
    const { store, at: when } = interruptible(troubled.store)
    at = when
    app = await startEffectApp(framework, {
      db: troubled.db,
      limits: { deadline: 3000 },
      idempotency: { store, lease: 6000, ...troubled.options },
    })
    await add(app.origin, ["warm"])
  })
  afterAll(async () => {
    await app?.close()
    await troubled?.close()
  })

  const names = (mark: string) => Array.from({ length: 5 }, (_, index) => `${mark} ${index}`)
  // The first statement on a terminated connection fails.
  const effects = async (mark: string) =>
    (await vi.waitFor(() => namesIn(troubled.db))).filter((each) => each.startsWith(`${mark} `))

  it.each(troubles[name]!)(
    "which %s when it is asked for claims: nothing runs without a claim",
    { timeout: 60_000, concurrent: false },
    async (what) => {
      const { begin, end, harmless = false } = troubled.troubles[what]!
      const mark = `claim ${what}`
      at("acquire", begin)
      const { status, body } = await add(app.origin, names(mark))
      await end()
      const isDone = status === 200
      if (harmless === true) expect(isDone).toBe(true)
      if (!isDone) expect({ status, code: body.code }).toEqual({ status: 503, code: "STORE_UNAVAILABLE" })
      expect(await effects(mark)).toEqual(isDone ? names(mark) : [])
      await addUntilDone(app.origin, names(mark))
      expect(await effects(mark)).toEqual(names(mark))
    },
  )

  it.each(troubles[name]!)(
    "which %s when it is asked to settle: nothing runs twice, and results are recorded later",
    { timeout: 60_000, concurrent: false },
    async (what) => {
      const { begin, end, harmless = false } = troubled.troubles[what]!
      const mark = `settle ${what}`
      at("settle", begin)
      const first = await add(app.origin, names(mark))
      await end()
      const isDone = first.status === 200
      const isMarked = first.headers.get("idempotency-status") === "not-recorded"
      // With their results, or not at all.
      if (name.endsWith("transaction")) expect(isDone && isMarked).toBe(false)
      else {
        expect(isDone).toBe(true)
        if (harmless !== "perhaps") expect(isMarked).toBe(!harmless)
      }
      expect(await effects(mark)).toEqual(isDone ? names(mark) : [])
      const again = await addUntilDone(app.origin, names(mark), {}, 20_000)
      if (isDone) expect(again.body).toMatchObject({ replayed: 5 })
      expect(await effects(mark)).toEqual(names(mark))
    },
  )
})
