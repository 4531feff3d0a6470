/** Stores of different packages, given the same commands. In ordinary runs, each is compared with the same model. */
import { IdempotencyStoreContract } from "@multistatus/core/testing"
import { checkRedis, redisClient, redisIdempotencyStore } from "@multistatus/store-redis"
import { migrate, openDatabase, sqlIdempotencyStore } from "@multistatus/store-sql"
import { freshDatabase } from "@multistatus/test-services"
import { sql } from "kysely"
import { inject } from "vitest"

import { databases } from "../databases.ts"

const redis = async (): Promise<IdempotencyStoreContract.Backend> => {
  const url = await freshDatabase(inject("redisUrl"))
  const [client, other] = [redisClient(url), redisClient(url)]
  await Promise.all([checkRedis(client), checkRedis(other)])
  return {
    store: redisIdempotencyStore(client),
    other: redisIdempotencyStore(other),
    evict: async (key) => {
      for (const name of await client.keys(`*:${key}`)) await client.del(name)
    },
    close: async () => {
      client.disconnect()
      other.disconnect()
    },
  }
}

const database = (kind: keyof typeof databases) => async (): Promise<IdempotencyStoreContract.Backend> => {
  const { db, dialect, close } = await openDatabase<unknown>(await databases[kind]())
  await migrate(db, dialect)
  return {
    store: sqlIdempotencyStore(db),
    evict: (key) => sql`delete from multistatus_idempotency where key_hash = ${key}`.execute(db),
    close,
  }
}

for (const [name, kind] of [
  ["PostgreSQL", "postgres"],
  ["MariaDB", "mariadb"],
  ["SQLite", "sqlite"],
] as const) {
  IdempotencyStoreContract.differential(`Redis and ${name}`, redis, database(kind), {
    commands: 10_000,
    timeout: 600_000,
  })
}
