/** The servers that a test run shares, and how their addresses reach the test files. */
import type { ProvidedContext } from "vitest"
import type { Server } from "./Server.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Superuser URL of the shared PostgreSQL server; from `@multistatus/test-services/postgres`. */
    readonly postgresUrl: string
    /** URL of the shared Redis server; from `@multistatus/test-services/redis`. */
    readonly redisUrl: string
    /** URL of one node of the shared Redis cluster; from `@multistatus/test-services/redis-cluster`. */
    readonly redisClusterUrl: string
    /** Superuser URL of the shared MariaDB server; from `@multistatus/test-services/mariadb`. */
    readonly mariadbUrl: string
  }
}

/** The keys under which addresses are provided. */
export type Key = keyof Pick<ProvidedContext, "postgresUrl" | "redisUrl" | "redisClusterUrl" | "mariadbUrl">

/** The part of Vitest's project that a global setup needs. */
export interface Project {
  readonly provide: (key: Key, value: string) => void
}

interface Shared {
  readonly server: Promise<Server>
  users: number
}

const registry = Symbol.for("@multistatus/test-services/Provided")

/** Makes a global setup that starts a server for the first project that lists it and stops it after the last. */
export const globalSetup = (key: Key, start: () => Promise<Server>) => async (project: Project) => {
  const shared = acquire(key, start)
  project.provide(key, (await shared.server).url)
  return async () => {
    if (--shared.users > 0) return
    servers().delete(key)
    await (await shared.server).stop()
  }
}

const acquire = (key: Key, start: () => Promise<Server>): Shared => {
  const shared = servers().get(key) ?? { server: start(), users: 0 }
  servers().set(key, shared)
  shared.users++
  return shared
}

// Vitest evaluates a global setup once for each project that lists it; only the process is common to them.
const servers = (): Map<Key, Shared> => {
  const holder = globalThis as { [registry]?: Map<Key, Shared> }
  return (holder[registry] ??= new Map())
}
