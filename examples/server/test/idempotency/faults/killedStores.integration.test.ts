import type { BatchOptions } from "@multistatus/core"
import type { IdempotencyStore } from "@multistatus/core/store"
import { checkRedis, redisClient, redisIdempotencyStore } from "@multistatus/store-redis"
import { migrate, openDatabase, sqlIdempotencyStore } from "@multistatus/store-sql"
import { freshDatabase, type Server, startPostgres, startRedis } from "@multistatus/test-services"
import type { Kysely } from "kysely"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import { takingTurns } from "../../batch/ServerProcess.ts"
import { createTable, type EffectApp, type Effects, namesIn, startEffectApp } from "./effectApp.ts"
import { add, addUntilDone, interruptible, type Reply } from "./moments.ts"

/** A server with keys, and the database that effects go to. */
interface Kept {
  readonly server: Server
  readonly db: Kysely<Effects>
  readonly store: IdempotencyStore
  readonly options?: Partial<NonNullable<BatchOptions["idempotency"]>>
  readonly close: () => Promise<void>
}

const openElsewhere = async () => openDatabase<Effects>(await freshDatabase(inject("postgresUrl")))

const stores: Readonly<Record<string, () => Promise<Kept>>> = {
  Redis: async () => {
    const server = await startRedis({ durable: true })
    const client = redisClient(server.url)
    client.on("error", () => {})
    await checkRedis(client)
    const { db, close } = await openElsewhere()
    return { server, db, store: redisIdempotencyStore(client), close: async () => (client.disconnect(), close()) }
  },
  PostgreSQL: async () => {
    const server = await startPostgres({ durable: true })
    const keys = await openDatabase<unknown>(server.url)
    await migrate(keys.db, keys.dialect)
    const { db, close } = await openElsewhere()
    const options = { sameTransaction: false }
    return {
      server,
      db,
      store: sqlIdempotencyStore(keys.db),
      options,
      close: async () => (await keys.close(), close()),
    }
  },
  "PostgreSQL, in the transaction": async () => {
    const server = await startPostgres({ durable: true })
    const { db, dialect, close } = await openDatabase<Effects>(server.url)
    await migrate(db, dialect)
    return { server, db, store: sqlIdempotencyStore(db), options: { sameTransaction: 2 }, close }
  },
}

const inOrder = { concurrent: false }
const cases = takingTurns(Object.keys(stores))

describe.concurrent.each(cases)("keys in $name, which is killed, on $framework", ({ framework, name }) => {
  const isInside = name.endsWith("transaction")
  let kept: Kept
  let app: EffectApp
  let at: ReturnType<typeof interruptible>["at"]
  let killedBefore: string | undefined

  beforeAll(async () => {
    kept = await stores[name]!()
    await createTable(kept.db)
    const { store, at: when } = interruptible(kept.store)
    at = when
    const before = async (effect: string) => {
      if (effect !== killedBefore) return
      killedBefore = undefined
      await kept.server.kill()
    }
    const idempotency = { store, ...kept.options }
    app = await startEffectApp(framework, { db: kept.db, before, concurrency: 1, idempotency })
    await add(app.origin, ["warm"])
  })
  afterAll(async () => {
    await app?.close()
    await kept?.close()
    await kept?.server.stop()
  })

  const names = (moment: string) => Array.from({ length: 5 }, (_, index) => `${moment} ${index}`)
  const effects = async (moment: string) => (await namesIn(kept.db)).filter((each) => each.startsWith(`${moment} `))
  const isMarked = ({ headers }: Reply) => headers.get("idempotency-status") === "not-recorded"

  it(
    "when it is asked for claims: the answer is 503, nothing runs, and the keys are free when it is back",
    inOrder,
    async () => {
      at("acquire", () => kept.server.kill())
      const { status, body, headers } = await add(app.origin, names("acquire"))
      expect({ status, code: body.code, retryAfter: headers.get("retry-after") }).toEqual({
        status: 503,
        code: "STORE_UNAVAILABLE",
        retryAfter: "1",
      })
      await kept.server.restart()
      expect(await effects("acquire")).toEqual([])
      await addUntilDone(app.origin, names("acquire"))
      expect(await effects("acquire")).toEqual(names("acquire"))
    },
  )

  it.each(["between", "settle"] as const)(
    "%s: completed operations are answered and recorded later, rolled-back ones run again",
    inOrder,
    async (moment) => {
      const batch = names(moment)
      if (moment === "settle") at("settle", () => kept.server.kill())
      else killedBefore = batch[3]
      const first = await add(app.origin, batch)
      await kept.server.restart()
      const reported = (first.body.results ?? []).flatMap(({ status, index }) =>
        status === "success" ? [batch[index]!] : [],
      )
      // Exactly the effects that were reported as done have happened.
      expect(await effects(moment)).toEqual(reported)
      if (!isInside) expect({ reported, isMarked: isMarked(first) }).toEqual({ reported: batch, isMarked: true })
      else expect(reported).toEqual(moment === "settle" ? [] : batch.slice(0, 2))
      const again = await addUntilDone(app.origin, batch, {}, 20_000)
      expect(isMarked(again)).toBe(false)
      expect(again.body).toMatchObject(reported.length === 0 ? { succeeded: 5 } : { replayed: reported.length })
      expect(await effects(moment)).toEqual(batch)
    },
  )
})
