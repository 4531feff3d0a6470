/**
 * The server's configuration, read from environment variables.
 */
import { acceptedDatabaseUrls, redactDatabaseUrl } from "@multistatus/store-sql"

import { choice, ConfigurationError, optionalChoice, type Variable, wholeNumber, wrongValue } from "./Variable.ts"

const inMemory = "sqlite::memory:"

const databaseUrl: Variable<string> = {
  name: "DATABASE_URL",
  meaning: "Database that holds the users",
  accepted: acceptedDatabaseUrls,
  defaultText: `${inMemory} (SQLite in memory)`,
  read: (text = inMemory) => {
    if (/^((sqlite|pglite):.|(postgres|postgresql|mysql|mariadb):\/\/)/i.test(text)) return text
    throw wrongValue("DATABASE_URL", redactDatabaseUrl(text), acceptedDatabaseUrls)
  },
}

const redisUrl: Variable<string | undefined> = {
  name: "REDIS_URL",
  meaning: "Redis server, or one node of a Redis cluster, for idempotency keys, quotas and jobs",
  accepted: "a URL such as redis://127.0.0.1:6379",
  defaultText: "none",
  read: (text) => {
    if (text === undefined || (/^rediss?:\/\/./.test(text) && URL.canParse(text))) return text
    throw wrongValue("REDIS_URL", redactDatabaseUrl(text), redisUrl.accepted)
  },
}

/** Every environment variable of the server, by the name of its setting. */
export const variables = {
  port: wholeNumber("PORT", "Port on 127.0.0.1; 0 picks a free one", { minimum: 0, maximum: 65_535, default: 3000 }),
  framework: choice("FRAMEWORK", "Framework that the server runs on", ["fastify", "express"]),
  databaseUrl,
  redisUrl,
  store: optionalChoice(
    "STORE",
    "Where idempotency keys, quotas and jobs are stored; sql is the database of DATABASE_URL",
    ["memory", "sql", "redis"],
    "redis if REDIS_URL is set, else sql if DATABASE_URL is set, else memory",
  ),
  maxOperations: wholeNumber("MAX_OPERATIONS", "Operations in a batch", {
    minimum: 1,
    maximum: 1_000_000,
    default: 1000,
  }),
  maxBodyBytes: wholeNumber("MAX_BODY_BYTES", "Bytes in a request body", {
    minimum: 1,
    maximum: 2 ** 30,
    default: 10 * 2 ** 20,
  }),
  // Node's timers count milliseconds in 31 bits; a longer one would fire at once.
  deadlineMs: wholeNumber("DEADLINE_MS", "Milliseconds after which a batch is aborted", {
    minimum: 1,
    maximum: 2 ** 31 - 1,
    default: 30_000,
  }),
  concurrency: wholeNumber("CONCURRENCY", "Operations of a batch that run at once", {
    minimum: 1,
    maximum: 10_000,
    default: 10,
  }),
  idempotencyTtlSeconds: wholeNumber("IDEMPOTENCY_TTL_S", "Seconds for which results are stored for retries", {
    minimum: 1,
    maximum: 31_536_000,
    default: 86_400,
  }),
  quota: wholeNumber("QUOTA", "Units that a tenant may spend within QUOTA_WINDOW_S", {
    minimum: 1,
    maximum: 1_000_000_000_000,
    default: 100_000,
  }),
  quotaWindowSeconds: wholeNumber("QUOTA_WINDOW_S", "Seconds in which a spent quota is restored", {
    minimum: 1,
    maximum: 31_536_000,
    default: 60,
  }),
  quotaCost: choice("QUOTA_COST", "Cost of a batch: 1 per operation, 1 per batch, or 1 plus 0.1 per operation", [
    "operations",
    "batch",
    "weighted",
  ]),
  quotaMode: choice("QUOTA_MODE", "Over quota: reject the batch, or admit the operations that fit", [
    "reject",
    "admit",
  ]),
  asyncAbove: wholeNumber("ASYNC_ABOVE", "Batches with more operations than this run as jobs", {
    minimum: 1,
    maximum: 1_000_000,
    default: undefined,
    defaultText: "only batches whose client asks for a job",
  }),
  jobChunk: wholeNumber("JOB_CHUNK", "Operations in a chunk of a job", { minimum: 1, maximum: 100_000, default: 500 }),
  workers: wholeNumber("WORKERS", "Chunks of jobs that run at once; 0 leaves them to worker processes", {
    minimum: 0,
    maximum: 100,
    default: 4,
  }),
}

type Settings = {
  readonly [Name in keyof typeof variables]: (typeof variables)[Name] extends Variable<infer Value> ? Value : never
}

/** The server's configuration; `variables` says what each setting means. */
export interface Configuration extends Omit<Settings, "store"> {
  readonly store: "memory" | "sql" | "redis"
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads the configuration from the environment. An empty variable counts as not set.
 *
 * Throws a `ConfigurationError` that has a line for each wrong value.
 */
export const readConfiguration = (environment: Environment): Configuration => {
  const problems: Array<string> = []
  const settings = Object.fromEntries(
    Object.entries(variables).map(([name, variable]) => {
      try {
        return [name, variable.read(environment[variable.name] || undefined)]
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error
        problems.push(error.message)
        return [name, undefined]
      }
    }),
  ) as Settings
  if (settings.store === "redis" && !environment["REDIS_URL"]) {
    problems.push("STORE=redis needs a Redis server: set REDIS_URL too")
  }
  if (problems.length > 0) throw new ConfigurationError(problems.join("\n"))
  return { ...settings, store: settings.store ?? defaultStore(settings) }
}

const defaultStore = ({ redisUrl, databaseUrl }: Settings): Configuration["store"] => {
  if (redisUrl !== undefined) return "redis"
  // SQLite in memory is lost with the process either way, and its one connection is left to the users.
  return databaseUrl === inMemory ? "memory" : "sql"
}
