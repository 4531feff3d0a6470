/** Runs scenarios against servers that keep idempotency keys in memory, in databases and in Redis. */
import { randomBytes } from "node:crypto"
import { freshDatabase } from "@multistatus/test-services"
import { afterAll, beforeAll, expect, inject } from "vitest"
import { Api } from "../batch/Api.ts"
import { databases } from "../databases.ts"
import { type Framework, frameworks, type ServerProcess, startServer } from "../batch/ServerProcess.ts"

/** The stores that a server can keep keys in. */
export const stores = ["memory", "sqlite", "postgres", "mariadb", "redis", "redis-cluster"] as const
export type Store = (typeof stores)[number]

/**
 * The frameworks that serve each store's scenarios.
 *
 * An adapter does not know where keys are kept, so the frameworks are compared on one store and take turns on the others.
 */
const frameworksOf: Readonly<Record<Store, ReadonlyArray<Framework>>> = {
  memory: frameworks,
  sqlite: ["express"],
  postgres: ["fastify"],
  mariadb: ["express"],
  redis: ["fastify"],
  "redis-cluster": ["express"],
}

/** A scenario; `key` makes keys that no other scenario uses. */
export type Scenario = (api: Api, key: (name: string) => string) => Promise<void>

// Files that run at the same time share the keys of a cluster.
const run = randomBytes(4).toString("hex")
let made = 0

/** The environment variables that make a server keep its keys in this store. */
export const environmentOf = async (store: Store): Promise<Record<string, string>> => {
  switch (store) {
    case "memory":
      return { STORE: store }
    case "redis":
      return { REDIS_URL: await freshDatabase(inject("redisUrl")) }
    case "redis-cluster":
      return { REDIS_URL: inject("redisClusterUrl") }
    default:
      return { STORE: "sql", DATABASE_URL: await databases[store]() }
  }
}

/**
 * Starts the servers for a store and returns a function that runs a scenario on each of them in turn.
 *
 * The answers of two servers have to be the same to the byte, unless a scenario says that they answer "differently".
 */
export const everywhere = (store: Store, environment: Readonly<Record<string, string>> = {}) => {
  const servers: Array<ServerProcess> = []
  const apis: Array<Api> = []
  beforeAll(async () => {
    const start = async (framework: Framework) =>
      startServer(framework, { ...(await environmentOf(store)), ...environment })
    servers.push(...(await Promise.all(frameworksOf[store].map(start))))
    apis.push(...servers.map(({ origin }) => new Api(origin)))
  })
  afterAll(async () => {
    for (const api of apis) api.close()
    await Promise.all(servers.map((server) => server.stop()))
  })
  return async (scenario: Scenario, answers: "equally" | "differently" = "equally"): Promise<void> => {
    const transcripts: Array<string> = []
    for (const api of apis) {
      const mark = `k${run}${String(made++).padStart(6, "0")}`
      await api.reset()
      await scenario(api, (name) => `${mark}-${name}`)
      transcripts.push(api.transcript().replaceAll(mark, "KEY"))
    }
    if (answers === "differently") return
    for (const transcript of transcripts) expect(transcript).toBe(transcripts[0])
  }
}
