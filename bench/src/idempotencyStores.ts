/** Idempotency keys in a store: many keys in one call, next to one call for each key. */
import { randomBytes } from "node:crypto"

import type { IdempotencyStore } from "@multistatus/core/store"
import { redisIdempotencyStore } from "@multistatus/store-redis"
import { migrate, openDatabase, sqlIdempotencyStore } from "@multistatus/store-sql"
import { startPostgres, startProxy, startRedis } from "@multistatus/test-services"

import { connectRedis } from "./connectRedis.ts"
import { type Case, measure, print } from "./Rounds.ts"

const size = 500
const delayMs = 2

const makeOwner = () => randomBytes(16).toString("base64url")
const makeHash = () => randomBytes(32).toString("base64url")

const makeItems = () =>
  Array.from({ length: size }, () => ({ key: makeHash(), fingerprint: makeHash(), mode: "retry" as const }))
const result = JSON.stringify({ outcome: "success", id: "u_0123456789abcdef0123456789abcdef" })
const complete = ({ key, fingerprint }: { readonly key: string; readonly fingerprint: string }) =>
  ({ key, fingerprint, action: { _tag: "complete", result } }) as const

const makeTimes = () => ({ owner: makeOwner(), leaseMs: 15_000, pendingTtlMs: 86_400_000, resultTtlMs: 86_400_000 })

const casesOf = (store: IdempotencyStore): ReadonlyArray<Case> => [
  {
    name: `${size} keys: one call to acquire, one to settle`,
    run: async () => {
      const [items, times] = [makeItems(), makeTimes()]
      await store.acquire(items, times)
      await store.settle(items.map(complete), times)
    },
  },
  {
    name: `${size} keys: a call for each, sequential`,
    run: async () => {
      const [items, times] = [makeItems(), makeTimes()]
      for (const item of items) await store.acquire([item], times)
      for (const item of items) await store.settle([complete(item)], times)
    },
  },
]

const compare = async (place: string, store: IdempotencyStore, rounds: number): Promise<void> => {
  const cases = casesOf(store)
  print(place, cases, await measure(cases, { rounds, warmUp: 3 }))
}

const postgres = await startPostgres({ durable: true })
const redis = await startRedis()
const database = await openDatabase<unknown>(postgres.url, { maxConnections: 10 })
await migrate(database.db, "postgres")
const client = await connectRedis(redis.url)

await compare("Redis on this machine", redisIdempotencyStore(client), 15)
await compare("PostgreSQL on this machine", sqlIdempotencyStore(database.db), 9)
{
  await using proxy = await startProxy(redis.url, { delayMs })
  const remote = await connectRedis(proxy.url)
  await compare(`Redis, ${delayMs} ms per round trip`, redisIdempotencyStore(remote), 3)
  remote.disconnect()
}
{
  await using proxy = await startProxy(postgres.url, { delayMs })
  const remote = await openDatabase<unknown>(proxy.url, { maxConnections: 1 })
  await compare(`PostgreSQL, ${delayMs} ms per round trip`, sqlIdempotencyStore(remote.db), 3)
  await remote.close()
}

client.disconnect()
await database.close()
await postgres.stop()
await redis.stop()
