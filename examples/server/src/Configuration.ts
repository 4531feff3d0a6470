/**
 * What the environment says about this server: read once, checked at once.
 */

import { redactDatabaseUrl } from "@multistatus/store-sql"

/** The server's configuration. */
export interface Configuration {
  /** `PORT`, 0 for any free one. Default 3000. */
  readonly port: number
  /** `FRAMEWORK`. Default `fastify`. */
  readonly framework: "express" | "fastify"
  /** `DATABASE_URL`. Default: SQLite in memory. */
  readonly databaseUrl: string
  /** `REDIS_URL`, of a server or of one node of a cluster; undefined for none. */
  readonly redisUrl: string | undefined
  /** `STORE`, where idempotency keys, quotas and jobs are kept. Default: `redis` where `REDIS_URL` is set, `memory` for SQLite in memory, else `sql`. */
  readonly store: "memory" | "sql" | "redis"
  /** `MAX_OPERATIONS` of one batch. Default 1,000. */
  readonly maxOperations: number
  /** `MAX_BODY_BYTES` of one request. Default 10 MiB. */
  readonly maxBodyBytes: number
  /** `DEADLINE_MS` of one batch. Default 30,000. */
  readonly deadlineMs: number
  /** `CONCURRENCY` of the operations of one batch. Default 10. */
  readonly concurrency: number
  /** `IDEMPOTENCY_TTL_S`, the seconds that results are kept for retries. Default 86,400. */
  readonly idempotencyTtlSeconds: number
  /** `QUOTA`, the units that each tenant may spend at once. Default 100,000. */
  readonly quota: number
  /** `QUOTA_WINDOW_S`, the seconds in which they come back. Default 60. */
  readonly quotaWindowSeconds: number
  /** `QUOTA_COST`, what a batch costs: a unit for each operation, one for the batch, or 1 and 0.1 for each. Default `operations`. */
  readonly quotaCost: "operations" | "batch" | "weighted"
  /** `QUOTA_MODE`: over quota the whole batch is refused, or what fits of it runs. Default `reject`. */
  readonly quotaMode: "reject" | "admit"
  /** `ASYNC_ABOVE`, the operations beyond which a batch becomes a job by itself; undefined: only where its client prefers it. */
  readonly asyncAbove: number | undefined
  /** `JOB_CHUNK`, the operations of a job that are run at a time. Default 500. */
  readonly jobChunk: number
  /** `WORKERS`, the chunks of jobs that this process runs at once; 0 leaves them to others. Default 4. */
  readonly workers: number
}

/** A variable of the environment with a value that is not accepted. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError"

  constructor(variable: string, value: string, accepted: string) {
    super(`${variable}=${value} is not accepted: ${accepted}`)
  }
}

/**
 * Reads the configuration from the environment, or throws a `ConfigurationError` for the first wrong value.
 *
 * **Details** A variable that is empty counts as not set.
 */
export const readConfiguration = (environment: Readonly<Record<string, string | undefined>>): Configuration => ({
  port: whole(environment, "PORT", { minimum: 0, maximum: 65_535, fallback: 3000 }),
  framework: oneOf(environment, "FRAMEWORK", ["fastify", "express"]),
  databaseUrl: databaseUrlOf(environment),
  redisUrl: redisUrlOf(environment),
  store: storeOf(environment),
  maxOperations: whole(environment, "MAX_OPERATIONS", { minimum: 1, maximum: 1_000_000, fallback: 1000 }),
  maxBodyBytes: whole(environment, "MAX_BODY_BYTES", { minimum: 1, maximum: 2 ** 30, fallback: 10 * 2 ** 20 }),
  // Timers of Node count milliseconds in 31 bits; a longer one would fire at once.
  deadlineMs: whole(environment, "DEADLINE_MS", { minimum: 1, maximum: 2 ** 31 - 1, fallback: 30_000 }),
  concurrency: whole(environment, "CONCURRENCY", { minimum: 1, maximum: 10_000, fallback: 10 }),
  idempotencyTtlSeconds: whole(environment, "IDEMPOTENCY_TTL_S", { minimum: 1, maximum: 31_536_000, fallback: 86_400 }),
  quota: whole(environment, "QUOTA", { minimum: 1, maximum: 1_000_000_000_000, fallback: 100_000 }),
  quotaWindowSeconds: whole(environment, "QUOTA_WINDOW_S", { minimum: 1, maximum: 31_536_000, fallback: 60 }),
  quotaCost: oneOf(environment, "QUOTA_COST", ["operations", "batch", "weighted"]),
  quotaMode: oneOf(environment, "QUOTA_MODE", ["reject", "admit"]),
  asyncAbove: whole(environment, "ASYNC_ABOVE", { minimum: 1, maximum: 1_000_000, fallback: undefined }),
  jobChunk: whole(environment, "JOB_CHUNK", { minimum: 1, maximum: 100_000, fallback: 500 }),
  workers: whole(environment, "WORKERS", { minimum: 0, maximum: 100, fallback: 4 }),
})

const redisUrlOf = (environment: Readonly<Record<string, string | undefined>>): string | undefined => {
  const url = environment["REDIS_URL"] || undefined
  if (url === undefined || /^rediss?:\/\/./.test(url)) return url
  throw new ConfigurationError("REDIS_URL", redactDatabaseUrl(url), "a URL such as redis://127.0.0.1:6379")
}

const inMemory = "sqlite::memory:"

const databaseUrlOf = (environment: Readonly<Record<string, string | undefined>>): string =>
  environment["DATABASE_URL"] || inMemory

const storeOf = (environment: Readonly<Record<string, string | undefined>>): Configuration["store"] => {
  const hasRedis = redisUrlOf(environment) !== undefined
  if ((environment["STORE"] ?? "") === "") {
    if (hasRedis) return "redis"
    // What is in memory dies with the process either way, and the one connection is left to the users.
    return databaseUrlOf(environment) === inMemory ? "memory" : "sql"
  }
  const store = oneOf(environment, "STORE", ["memory", "sql", "redis"])
  if (store === "redis" && !hasRedis) throw new ConfigurationError("STORE", store, "set REDIS_URL too")
  return store
}

const whole = <Fallback extends number | undefined>(
  environment: Readonly<Record<string, string | undefined>>,
  variable: string,
  range: { readonly minimum: number; readonly maximum: number; readonly fallback: Fallback },
): number | Fallback => {
  const value = environment[variable]
  if (value === undefined || value === "") return range.fallback
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
  if (number >= range.minimum && number <= range.maximum) return number
  throw new ConfigurationError(variable, value, `a whole number from ${range.minimum} to ${range.maximum}`)
}

const oneOf = <Value extends string>(
  environment: Readonly<Record<string, string | undefined>>,
  variable: string,
  accepted: readonly [Value, ...ReadonlyArray<Value>],
): Value => {
  const value = environment[variable]
  if (value === undefined || value === "") return accepted[0]
  const found = accepted.find((candidate) => candidate === value)
  if (found !== undefined) return found
  throw new ConfigurationError(variable, value, accepted.join(" or "))
}
