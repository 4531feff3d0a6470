/** The servers that keep jobs in a benchmark. */
import { migrate, openDatabase, type OpenedDatabase } from "@multistatus/store-sql"
import { startPostgres, startRedis } from "@multistatus/test-services"

import { connectRedis, type RedisClient } from "./connectRedis.ts"

/** A Redis and a PostgreSQL server for jobs. */
export interface JobServices {
  readonly redisUrl: string
  readonly postgresUrl: string
  readonly client: RedisClient
  readonly db: OpenedDatabase<unknown>["db"]
  readonly stop: () => Promise<void>
}

/** Starts a Redis and a PostgreSQL server, both durable, with the tables that jobs need. */
export const startJobServices = async (): Promise<JobServices> => {
  const redis = await startRedis({ durable: true })
  const client = await connectRedis(redis.url)
  // Redis and BullMQ both recommend to sync the log once a second.
  await client.config("SET", "appendfsync", "everysec")
  const postgres = await startPostgres({ durable: true })
  const database = await openDatabase<unknown>(postgres.url)
  await migrate(database.db, database.dialect)
  return {
    redisUrl: redis.url,
    postgresUrl: postgres.url,
    client,
    db: database.db,
    stop: async () => {
      client.disconnect()
      await database.close()
      await redis.stop()
      await postgres.stop()
    },
  }
}
