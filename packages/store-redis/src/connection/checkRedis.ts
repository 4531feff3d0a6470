/** Checks that the settings of a Redis server do not endanger the stored records. */
import {
  anyFunction,
  checkOptions,
  duration,
  type DurationInput,
  flag,
  type OptionGroup,
  settingsOf,
} from "@multistatus/core/store"
import type { Cluster, Redis } from "ioredis"
import { once } from "node:events"
import { isCluster } from "../scripts/RedisScript.ts"
import { checkClient } from "./redisClient.ts"

/** Options of `checkRedis`. */
export interface CheckRedisOptions {
  /** Called with each warning. Default: `process.emitWarning`. */
  readonly warn?: ((message: string) => void) | undefined
  /** Time after which the wait for a connection fails. Default `"5 seconds"`. */
  readonly timeout?: DurationInput | undefined
  /** Whether the server stores jobs, which must survive a restart. Default false. */
  readonly jobs?: boolean | undefined
}

const emitWarning = (message: string): void => process.emitWarning(message, "MultistatusWarning")

const checkRedisOptions = {
  warn: { type: anyFunction(), default: emitWarning, page: "jobs.md" },
  timeout: { type: duration(), default: "5 seconds", page: "jobs.md" },
  jobs: { type: flag, default: false, page: "jobs.md" },
} satisfies OptionGroup<CheckRedisOptions>

/**
 * Waits for a connection, warns about settings that endanger records, and returns the warnings.
 *
 * **Details** Call it when your server starts. It reads `INFO` of each master, which hosted Redis services allow. It rejects
 * if there is no connection within `timeout`.
 */
export const checkRedis = async (
  client: Redis | Cluster,
  options: CheckRedisOptions = {},
): Promise<ReadonlyArray<string>> => {
  checkClient(client, "checkRedis")
  checkOptions(checkRedisOptions, options)
  const { warn, timeoutMs, jobs } = settingsOf(checkRedisOptions, options)
  await connected(client, timeoutMs)
  const servers = isCluster(client) ? client.nodes("master") : [client]
  const serverWarningLists = await Promise.all(
    servers.map(async (server) => serverWarnings(nameOf(server), await server.info(), jobs)),
  )
  const warnings = [...clientWarnings(client), ...serverWarningLists.flat()]
  for (const warning of warnings) warn(warning)
  return warnings
}

/** Waits until a client is connected. */
export const connected = async (client: Redis | Cluster, timeoutMs: number): Promise<void> => {
  if (client.status === "wait") return client.connect()
  if (client.status !== "ready") await once(client, "ready", { signal: AbortSignal.timeout(timeoutMs) })
}

const nameOf = ({ options: { host, port, path } }: Redis): string => `Redis at ${path ?? `${host}:${port}`}`

const clientWarnings = (client: Redis | Cluster): ReadonlyArray<string> => {
  const { commandTimeout } = (isCluster(client) ? client.options.redisOptions : client.options) ?? {}
  if (client.options.enableOfflineQueue === false && commandTimeout !== undefined) return []
  return [
    "The Redis client waits long for a server that is down, and requests wait, too. " +
      "Create it with redisClient or redisCluster, or set enableOfflineQueue: false and a commandTimeout.",
  ]
}

const serverWarnings = (name: string, info: string, jobs: boolean): ReadonlyArray<string> => {
  const fields = new Map(info.split(/\r?\n/).map((line) => [line.split(":", 1)[0]!, line.slice(line.indexOf(":") + 1)]))
  const warnings: Array<string> = []
  const policy = fields.get("maxmemory_policy")
  if (policy === undefined) {
    warnings.push(`${name} does not report its maxmemory-policy. Make sure that it is noeviction.`)
  } else if (policy !== "noeviction") {
    warnings.push(
      `${name} evicts records when its memory is full (maxmemory-policy ${policy}). A retry would then execute an ` +
        `operation again${jobs ? ", and jobs would be lost" : ""}. Set maxmemory-policy to noeviction, or use a separate ` +
        "server if this one is a cache.",
    )
  }
  if (jobs && fields.get("aof_enabled") !== "1") {
    warnings.push(
      `${name} loses accepted jobs when it restarts or crashes (appendonly no). Set appendonly to yes, with appendfsync ` +
        "everysec to lose at most the last second, or always to lose none.",
    )
  }
  if (fields.get("role") === "slave")
    warnings.push(`${name} is a replica and accepts no writes. Connect to its primary.`)
  const version = fields.get("redis_version") ?? ""
  if (Number.parseInt(version, 10) < 6)
    warnings.push(`${name} has version ${version}. Upgrade it to version 6 or later.`)
  return warnings
}
