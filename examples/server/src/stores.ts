/**
 * The stores of idempotency keys, quotas and jobs: in memory, in the server's database, or in Redis.
 */
import { type JobEngine, memoryIdempotencyStore, memoryJobs, memoryQuotaStore } from "@multistatus/core"
import type { IdempotencyStore, QuotaStore } from "@multistatus/core/store"
import {
  checkRedis,
  redisClient,
  redisCluster,
  redisIdempotencyStore,
  redisJobs,
  redisQuotaStore,
} from "@multistatus/store-redis"
import { openDatabase, redactDatabaseUrl, sqlIdempotencyStore, sqlJobs, sqlQuotaStore } from "@multistatus/store-sql"
import { sql } from "kysely"

import type { Configuration } from "./Configuration.ts"
import type { StoreCheck } from "./readyRoute.ts"
import type { Tables } from "./Tables.ts"
import type { Users } from "./Users.ts"
import { ConfigurationError } from "./Variable.ts"

/** The stores of one server. */
export interface Stores {
  readonly idempotency: IdempotencyStore
  readonly quota: QuotaStore
  readonly jobs: JobEngine
  /** Whether results commit in the transactions of their operations. */
  readonly transactional: boolean
  /** Checks of the servers that these stores need beside the database of the users. */
  readonly checks: ReadonlyArray<StoreCheck>
  readonly close: () => Promise<void>
}

/** Opens the stores that the configuration names. */
export const openStores = (users: Users, { store, redisUrl, databaseUrl }: Configuration): Promise<Stores> => {
  if (store === "memory") return inMemory()
  return store === "sql" ? inDatabase(users, databaseUrl) : inRedis(redisUrl ?? "")
}

/** Checks that the database of the users answers. */
export const databaseCheck = ({ db }: Users): StoreCheck => ({
  store: "database",
  ask: () => sql`select 1`.execute(db),
})

const inMemory = async (): Promise<Stores> => ({
  idempotency: memoryIdempotencyStore(),
  quota: memoryQuotaStore(),
  jobs: memoryJobs(),
  transactional: false,
  checks: [],
  close: async () => {},
})

const inDatabase = async ({ db, dialect }: Users, databaseUrl: string): Promise<Stores> => {
  // Claims have connections of their own, so that their leases are renewed while transactions hold all the others.
  const pooled = dialect === "postgres" || dialect === "mysql"
  const claims = pooled ? await openDatabase<Tables>(databaseUrl, { maxConnections: 2 }) : undefined
  const idempotency = sqlIdempotencyStore(db, { claims: claims?.db })
  // Expired records count as absent; purging only keeps the table small, so a failed purge can wait for the next one.
  const purging = setInterval(() => void idempotency.purge(purgedAtOnce).catch(() => {}), purgeMs).unref()
  return {
    idempotency,
    quota: sqlQuotaStore(claims?.db ?? db),
    jobs: dialect === "mysql" ? memoryJobs() : sqlJobs({ db, dialect }, databaseUrl),
    transactional: true,
    checks: [],
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
    throw new ConfigurationError(
      `REDIS_URL=${redactDatabaseUrl(url)} does not answer: ${reason}. Start a Redis server there, or unset REDIS_URL`,
    )
  })
  return {
    idempotency: redisIdempotencyStore(client),
    quota: redisQuotaStore(client),
    jobs: redisJobs({ client }),
    transactional: false,
    checks: [{ store: "redis", ask: () => client.ping() }],
    close: async () => client.disconnect(),
  }
}

/** Connects to a Redis server, or to the cluster if the server is a node of one. */
const connectRedis = async (url: string) => {
  const server = await checked(redisClient(url))
  if (!/^cluster_enabled:1/m.test(await server.info("cluster"))) return server
  server.disconnect()
  return checked(redisCluster([url]))
}

const checked = async <Client extends ReturnType<typeof redisClient | typeof redisCluster>>(
  client: Client,
): Promise<Client> => {
  // Commands reject without a connection; without a listener ioredis would print the error as well.
  client.on("error", () => {})
  try {
    await checkRedis(client, { jobs: true })
    return client
  } catch (error) {
    client.disconnect()
    throw error
  }
}
