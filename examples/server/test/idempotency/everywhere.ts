/** The same scenario on both frameworks, with keys kept in memory, in databases and in Redis. */
import { type Server, startRedis } from "@multistatus/test-services"
import { afterAll, beforeAll, expect } from "vitest"
import { Api } from "../batch/Api.ts"
import { databases } from "../databases.ts"
import { frameworks, type ServerProcess, startServer } from "../batch/ServerProcess.ts"

/** Where keys are kept. */
export const stores = ["memory", "sqlite", "postgres", "redis"] as const
export type Store = (typeof stores)[number]

/** A scenario; `key` makes keys that no other scenario has. */
export type Scenario = (api: Api, key: (name: string) => string) => Promise<void>

let made = 0

const environmentOf = async (store: Store, redis: Server | undefined): Promise<Record<string, string>> => {
  if (redis !== undefined) return { STORE: "redis", REDIS_URL: redis.url }
  return store === "memory" ? { STORE: store } : { STORE: "sql", DATABASE_URL: await databases[store as "sqlite"]() }
}

/**
 * Starts a server on each framework with this store; answers with what runs a scenario on one after the other.
 *
 * What the two answered has to be the same to the byte, unless a scenario says that they answer "differently".
 */
export const everywhere = (store: Store, environment: Readonly<Record<string, string>> = {}) => {
  const servers: Array<ServerProcess> = []
  const apis: Array<Api> = []
  let redis: Server | undefined
  beforeAll(async () => {
    redis = store === "redis" ? await startRedis() : undefined
    for (const framework of frameworks) {
      servers.push(await startServer(framework, { ...(await environmentOf(store, redis)), ...environment }))
    }
    apis.push(...servers.map(({ origin }) => new Api(origin)))
  })
  afterAll(async () => {
    for (const api of apis) api.close()
    await Promise.all(servers.map((server) => server.stop()))
    await redis?.stop()
  })
  return async (scenario: Scenario, answers: "equally" | "differently" = "equally"): Promise<void> => {
    const transcripts: Array<string> = []
    for (const api of apis) {
      const mark = `k${String(made++).padStart(6, "0")}`
      await api.reset()
      await scenario(api, (name) => `${mark}-${name}`)
      transcripts.push(api.transcript().replaceAll(mark, "KEY"))
    }
    if (answers === "equally") expect(transcripts[1]).toBe(transcripts[0])
  }
}
