/** The same scenario on both frameworks, with keys kept in memory, in databases and in Redis. */
import { randomBytes } from "node:crypto"
import { freshDatabase } from "@multistatus/test-services"
import { afterAll, beforeAll, expect, inject } from "vitest"
import { Api } from "../batch/Api.ts"
import { databases } from "../databases.ts"
import { frameworks, type ServerProcess, startServer } from "../batch/ServerProcess.ts"

/** Where keys are kept. */
export const stores = ["memory", "sqlite", "postgres", "mariadb", "redis", "redis-cluster"] as const
export type Store = (typeof stores)[number]

/** A scenario; `key` makes keys that no other scenario has. */
export type Scenario = (api: Api, key: (name: string) => string) => Promise<void>

// Those who share a cluster share its keys.
const run = randomBytes(4).toString("hex")
let made = 0

/** What a server is told so that it keeps keys there. */
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
 * Starts a server on each framework with this store; answers with what runs a scenario on one after the other.
 *
 * What the two answered has to be the same to the byte, unless a scenario says that they answer "differently".
 */
export const everywhere = (store: Store, environment: Readonly<Record<string, string>> = {}) => {
  const servers: Array<ServerProcess> = []
  const apis: Array<Api> = []
  beforeAll(async () => {
    for (const framework of frameworks) {
      servers.push(await startServer(framework, { ...(await environmentOf(store)), ...environment }))
    }
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
    if (answers === "equally") expect(transcripts[1]).toBe(transcripts[0])
  }
}
