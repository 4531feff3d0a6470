/**
 * A server whose operations each leave a row in a table without keys: what was done twice is there twice.
 *
 * Keys are kept in Redis where `REDIS_URL` is set, or else in the database, in the transactions of the operations.
 */
import type { AddressInfo } from "node:net"
import { setTimeout as delay } from "node:timers/promises"

import { fastifyBatch } from "@multistatus/adapter-fastify"
import { resource } from "@multistatus/core"
import { checkRedis, redisClient, redisIdempotencyStore } from "@multistatus/store-redis"
import { joinTransactions, migrate, openDatabase, sqlIdempotencyStore, sqlUnitOfWork } from "@multistatus/store-sql"
import Fastify from "fastify"
import * as z from "zod"

interface Tables {
  readonly effects: { readonly name: string }
}

const { DATABASE_URL = "", REDIS_URL, LEASE_MS, WORK_MS, CONCURRENCY } = process.env

const { db, dialect } = await openDatabase<Tables>(DATABASE_URL)
await migrate(db, dialect)

const inRedis = async (url: string) => {
  const client = redisClient(url)
  client.on("error", () => {})
  await checkRedis(client)
  return { store: redisIdempotencyStore(client) }
}

const inDatabase = async () => {
  const claims = await openDatabase<Tables>(DATABASE_URL, { maxConnections: 2 })
  // Of twenty operations, so that a fault finds some groups committed and others not.
  return { store: sqlIdempotencyStore(db, { claims: claims.db }), sameTransaction: 5 }
}

const joined = joinTransactions(db)
const effects = resource("effects", {
  add: {
    identified: false,
    input: z.object({ name: z.string() }),
    run: async ({ name }) => {
      await delay(Number(WORK_MS) / 2)
      await joined.insertInto("effects").values({ name }).execute()
      await delay(Number(WORK_MS) / 2)
      return { name }
    },
  },
})

const app = Fastify()
await app.register(fastifyBatch, {
  tenant: () => "client",
  concurrency: Number(CONCURRENCY),
  unitOfWork: sqlUnitOfWork(db),
  idempotency: {
    ...(await (REDIS_URL === undefined ? inDatabase() : inRedis(REDIS_URL))),
    leaseMs: Number(LEASE_MS),
  },
})
app.batch.operations("/effects/batch", effects)
await app.listen({ port: 0, host: "127.0.0.1" })
console.log(`listening on http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
