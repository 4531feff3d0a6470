/**
 * The server of effects as a process. Keys are kept in Redis where `REDIS_URL` is set, or else in the database, in the
 * transactions of the operations.
 */
import { setTimeout as delay } from "node:timers/promises"

import { checkRedis, redisClient, redisIdempotencyStore } from "@multistatus/store-redis"
import { migrate, openDatabase, sqlIdempotencyStore } from "@multistatus/store-sql"

import { type Effects, startEffectApp } from "./effectApp.ts"

const { DATABASE_URL = "", REDIS_URL, LEASE_MS, WORK_MS, CONCURRENCY } = process.env

const { db, dialect } = await openDatabase<Effects>(DATABASE_URL)
await migrate(db, dialect)

const inRedis = async (url: string) => {
  const client = redisClient(url)
  client.on("error", () => {})
  await checkRedis(client)
  return { store: redisIdempotencyStore(client) }
}

const inDatabase = async () => {
  const claims = await openDatabase<Effects>(DATABASE_URL, { maxConnections: 2 })
  // Of twenty operations, so that a fault finds some groups committed and others not.
  return { store: sqlIdempotencyStore(db, { claims: claims.db }), sameTransaction: 5 }
}

const work = () => delay(Number(WORK_MS) / 2)
const { origin } = await startEffectApp("fastify", {
  db,
  before: work,
  after: work,
  concurrency: Number(CONCURRENCY),
  idempotency: {
    ...(await (REDIS_URL === undefined ? inDatabase() : inRedis(REDIS_URL))),
    lease: Number(LEASE_MS),
  },
})
console.log(`listening on ${origin}`)
