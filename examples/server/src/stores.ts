/**
 * Where the server keeps what outlives a request: in memory, in its database, or in Redis.
 */
import { type IdempotencyStore, type QuotaStore } from "@multistatus/core/store"
import { type JobEngine, memoryIdempotencyStore, memoryJobs, memoryQuotaStore } from "@multistatus/core"
import {
  checkRedis,
  redisClient,
  redisCluster,
  redisIdempotencyStore,
  redisJobs,
  redisQuotaStore,
} from "@multistatus/store-redis"
import { openDatabase, redactDatabaseUrl, sqlIdempotencyStore, sqlJobs, sqlQuotaStore } from "@multistatus/store-sql"

import { type Configuration, ConfigurationError } from "./Configuration.ts"
import type { Tables } from "./Tables.ts"
import type { Users } from "./Users.ts"

/** The stores of one server. */
export interface Stores {
  readonly idempotency: IdempotencyStore
  readonly quota: QuotaStore
  readonly jobs: JobEngine
  /** What whoever starts the server should know of them; undefined for nothing. */
  readonly notice: string | undefined
  /** Whether results commit in the transactions of their operations. */
  readonly transactional: boolean
  readonly close: () => Promise<void>
}

/**
 * Opens the stores that the configuration names: `STORE`, or else Redis where `REDIS_URL` is set, or else the database.
 */
export const openStores = (users: Users, { store, redisUrl, databaseUrl }: Configuration): Promise<Stores> => {
  if (store === "memory") return inMemory()
  return store === "sql" ? inDatabase(users, databaseUrl) : inRedis(redisUrl ?? "")
}

const lostJobs = "jobs run in this process and are lost with it: set REDIS_URL or DATABASE_URL to keep them"

const inMemory = async (): Promise<Stores> => ({
  idempotency: memoryIdempotencyStore(),
  quota: memoryQuotaStore(),
  jobs: memoryJobs(),
  notice: lostJobs,
  transactional: false,
  close: async () => {},
})

const inDatabase = async ({ db, dialect }: Users, databaseUrl: string): Promise<Stores> => {
  // With connections of its own, claims are kept alive while transactions hold all the others.
  const pooled = dialect === "postgres" || dialect === "mysql"
  const claims = pooled ? await openDatabase<Tables>(databaseUrl, { maxConnections: 2 }) : undefined
  const idempotency = sqlIdempotencyStore(db, { claims: claims?.db })
  // Records whose time is over count as absent; this only keeps the table small. What fails is tried the next time.
  const purging = setInterval(() => void idempotency.purge(purgedAtOnce).catch(() => {}), purgeMs).unref()
  return {
    idempotency,
    quota: sqlQuotaStore(claims?.db ?? db),
    jobs: dialect === "mysql" ? memoryJobs() : sqlJobs({ db, dialect }, databaseUrl),
    notice: dialect === "mysql" ? lostJobs : undefined,
    transactional: true,
    close: async () => {
      clearInterval(purging)
      await claims?.close()
    },
  }
}

const purgeMs = 60_000
const purgedAtOnce = 1000

const inRedis = async (url: string): Promise<Stores> => {
  const client = await connectRedis(url).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    const advice = `start a Redis server that answers there, or unset it (${reason})`
    throw new ConfigurationError("REDIS_URL", redactDatabaseUrl(url), advice)
  })
  return {
    idempotency: redisIdempotencyStore(client),
    quota: redisQuotaStore(client),
    jobs: redisJobs({ client }),
    notice: undefined,
    transactional: false,
    close: async () => client.disconnect(),
  }
}

/** Connects to the server, or to the cluster that it is a node of. */
const connectRedis = async (url: string) => {
  const server = await checked(redisClient(url))
  if (!/^cluster_enabled:1/m.test(await server.info("cluster"))) return server
  server.disconnect()
  return checked(redisCluster([url]))
}

const checked = async <Client extends ReturnType<typeof redisClient | typeof redisCluster>>(
  client: Client,
): Promise<Client> => {
  // Commands say that there is no connection; without a listener ioredis would print it as well.
  client.on("error", () => {})
  try {
    await checkRedis(client, { jobs: true })
    return client
  } catch (error) {
    client.disconnect()
    throw error
  }
}
